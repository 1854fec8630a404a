// What fast-check found, out of vitest's JSON report.
import { relative } from 'node:path';

/** Seed, path and the smallest counterexample; of anything else that failed, how it failed. */
function essence(message) {
  // What vitest has of a test that it gave up.
  if (message.startsWith('Error: STACK_TRACE_ERROR')) return 'It did not end in time.';
  const found = /Property (?:failed|interrupted)[^]*?(?=\n+(?:Got |Encountered |Hint:|Error:|\s+at )|$)/.exec(message);
  return (found?.[0] ?? message.split('\n').slice(0, 10).join('\n')).trim();
}

/**
 * @param {{testResults: readonly {name: string, status: string, message?: string, assertionResults: readonly {fullName: string, status: string, failureMessages?: readonly string[]}[]}[]}} report
 * @param {string} root
 * @returns {{file: string, test: string, text: string}[]} one for each test that failed, and each file that did not load
 */
export function counterexamples(report, root) {
  return report.testResults.flatMap(({ name, status, message = '', assertionResults }) => {
    const file = relative(root, name);
    const failed = assertionResults.filter((result) => result.status === 'failed');
    if (failed.length === 0) return status === 'failed' ? [{ file, test: 'did not run', text: essence(message) }] : [];
    return failed.map(({ fullName, failureMessages = [] }) => ({
      file,
      test: fullName,
      text: essence(failureMessages.join('\n')),
    }));
  });
}
