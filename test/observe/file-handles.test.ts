/** Running out of file handles leaves one line and a metric, and so does its end. */
import { expect, it } from 'vitest';
import { watchFileHandles } from '../../src/observe/file-handles.ts';
import { createFakeClock } from '../support/fake-clock.ts';
import { recordingLog } from './recording-log.ts';

function start() {
  const clock = createFakeClock();
  const log = recordingLog();
  const exhausted: boolean[] = [];
  const state: { used: number | string } = { used: 10 };
  const watch = watchFileHandles({
    clock,
    log,
    metrics: { fileHandlesExhausted: (value) => exhausted.push(value) },
    count: () =>
      typeof state.used === 'number'
        ? Promise.resolve({ used: state.used, limit: 100 })
        : Promise.reject(Object.assign(new Error(), { code: state.used })),
  });
  const messages: () => string[] = () => log.lines.map(({ level, message }) => `${level} ${message}`);
  /** Two looks, so that what is told twice is seen. */
  const become = async (used: number | string): Promise<void> => {
    state.used = used;
    for (let count = 0; count < 2; count += 1) {
      clock.advance(5_000);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  return { watch, messages, become, exhausted };
}

it.each(['EMFILE', 'ENFILE'])(
  'says once that none is left (%s), and once that there are enough again',
  async (code) => {
    const { watch, messages, become, exhausted } = start();
    await become(10);
    expect(messages()).toEqual([]);
    await become(code);
    expect(exhausted).toEqual([true]);
    await become(10);
    expect(exhausted).toEqual([true, false]);
    expect(messages()).toEqual([
      'error no file handle is left: new connections are closed unanswered',
      'warn there are enough file handles again',
    ]);
    watch.close();
  },
);

it('says once that few are left, and not again while it goes up and down about the limit', async () => {
  const { watch, messages, become, exhausted } = start();
  for (const used of [89, 90, 85, 95, 81, 92]) await become(used);
  expect(messages()).toEqual(['warn few file handles are left']);
  await become(79);
  expect(messages()).toHaveLength(2);
  expect(exhausted).toEqual([]);
  watch.close();
});

it('concludes nothing where the handles cannot be counted', async () => {
  const { watch, messages, become } = start();
  await become('ENOENT');
  expect(messages()).toEqual([]);
  watch.close();
});
