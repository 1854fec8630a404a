/** Pages of metrics as exporters write them, of a given size, the same each time. */

const JOBS = ['api', 'batch', 'gateway', 'ingest', 'query', 'store', 'web', 'worker'];

/** One series; about 130 bytes. @param suffix what stands behind the value, a time of its own. */
function sample(index: number, suffix = ''): string {
  const job = JOBS[index % JOBS.length] ?? '';
  const labels = `instance="10.0.${(index >> 8) & 255}.${index & 255}:9100",job="${job}",device="disk${index % 12}",mode="${index % 7}"`;
  return `bench_operations_${index % 50}_total{${labels},series="${index}"} ${(index * 7919) % 1_000_003}${suffix}\n`;
}

/** A page of about so many bytes, ending with a whole line. */
export function expositionPage(bytes: number): Buffer {
  const lines: string[] = [];
  for (let size = 0, index = 0; size < bytes; index++) {
    const line = sample(index);
    size += line.length;
    lines.push(line);
  }
  return Buffer.from(lines.join(''));
}

/** A page of so many series, grouped by metric, with one time for all samples (milliseconds since the epoch). */
export function seriesPage(series: number, atMs: number): Buffer {
  const lines: string[] = [];
  for (let metric = 0; metric < 50; metric++) {
    lines.push(`# TYPE bench_operations_${metric}_total counter\n`);
    for (let index = metric; index < series; index += 50) lines.push(sample(index, ` ${atMs}`));
  }
  return Buffer.from(lines.join(''));
}
