/** Small arithmetic on measurements, and how they are printed. */

export function median(values: readonly number[]): number {
  return percentile(values, 50);
}

/** Nearest rank. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? NaN;
}

/** Three significant digits. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return '–';
  if (Math.abs(value) >= 1000) return String(Number(value.toPrecision(3))).replace(/\B(?=(\d{3})+$)/g, ' ');
  return String(Number(value.toPrecision(3)));
}

export function times(ratio: number): string {
  return Number.isFinite(ratio) ? `${ratio >= 100 ? figure(ratio) : ratio.toFixed(2)} ×` : '–';
}

export function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 1_048_576)} MB`;
}

export function milliseconds(ms: number): string {
  return `${ms < 10 ? ms.toFixed(1) : figure(ms)} ms`;
}
