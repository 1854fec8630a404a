/** The real curl, as the client that operators use to try things out. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram } from './programs.ts';
import { runProcess } from './processes.ts';

export interface CurlResult {
  /** curl's exit code: 0 done, 18 cut body, 35 and 56 refused in the handshake, 92 HTTP/2 stream error, … */
  readonly exit: number | null;
  /** 0 without an answer. */
  readonly status: number;
  /** `1.1` or `2`. */
  readonly httpVersion: string;
  /** Of the last answer; lower-case names; the last value of a repeated header. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly stderr: string;
}

/** Runs curl with these arguments (URL included); no ~/.curlrc, no proxy, 20 s at most. */
export async function curl(...argv: readonly string[]): Promise<CurlResult> {
  const directory = await mkdtemp(join(tmpdir(), 'promgate-curl-'));
  const [headerFile, bodyFile] = [join(directory, 'headers'), join(directory, 'body')];
  const fixed = ['-q', '--silent', '--show-error', '--noproxy', '*', '--max-time', '20'];
  const outputs = ['--dump-header', headerFile, '--output', bodyFile, '--write-out', '%{http_code} %{http_version}'];
  try {
    const finished = await runProcess(findProgram('curl'), [...fixed, ...outputs, ...argv]);
    const [status = '0', httpVersion = ''] = finished.stdout.split(' ');
    return {
      exit: finished.code,
      status: Number(status),
      httpVersion,
      headers: lastHeaders(await readIfThere(headerFile)),
      body: await readIfThere(bodyFile),
      stderr: finished.stderr,
    };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function readIfThere(file: string): Promise<string> {
  return readFile(file, 'utf8').catch(() => '');
}

function lastHeaders(dump: string): Record<string, string> {
  const block = dump.trim().split('\r\n\r\n').at(-1) ?? '';
  const lines = block.split('\r\n').slice(1);
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
  );
}
