/** What `npm run fuzz` tells of a run that failed: enough to see the same again. */
import { describe, expect, it } from 'vitest';
import { counterexamples } from '../../scripts/counterexamples.mjs';
import fc from '../support/property.ts';

const ROOT = '/checkout';
const reported = (failureMessages: readonly string[]) => ({
  testResults: [
    {
      name: `${ROOT}/test/a.test.ts`,
      status: 'failed',
      assertionResults: [
        { fullName: 'holds', status: 'passed' },
        { fullName: 'breaks', status: 'failed', failureMessages },
      ],
    },
  ],
});

function failureOf(property: fc.IPropertyWithHooks<[number]>): string {
  try {
    fc.assert(property, { seed: 42 });
  } catch (error) {
    return error instanceof Error ? (error.stack ?? '') : '';
  }
  throw new Error('the property held');
}

describe('a counterexample', () => {
  it('comes with seed, path and the smallest values, and without the stack', () => {
    const failure = failureOf(
      fc.property(fc.nat(), (value) => {
        expect(value).toBeLessThan(1000);
      }),
    );
    const [found, ...more] = counterexamples(reported([failure]), ROOT);
    expect(more).toEqual([]);
    expect(found).toMatchObject({ file: 'test/a.test.ts', test: 'breaks' });
    expect(found?.text).toMatch(
      /^Property failed after \d+ tests\n\{ seed: 42, path: "[\d:]+", endOnFailure: true \}\n/,
    );
    expect(found?.text).toContain('Counterexample: [1000]');
    expect(found?.text).not.toContain(' at ');
  });

  it('of another kind, and a file that does not load, are told by their first lines', () => {
    expect(counterexamples(reported(['Error: no such thing\n    at x.ts:1']), ROOT)[0]?.text).toContain(
      'no such thing',
    );
    expect(counterexamples(reported(['Error: STACK_TRACE_ERROR\n    at task']), ROOT)[0]?.text).toBe(
      'It did not end in time.',
    );
    const broken = {
      name: `${ROOT}/test/b.test.ts`,
      status: 'failed',
      message: 'SyntaxError: x',
      assertionResults: [],
    };
    expect(counterexamples({ testResults: [broken] }, ROOT)).toEqual([
      { file: 'test/b.test.ts', test: 'did not run', text: 'SyntaxError: x' },
    ]);
  });

  it('is looked for with the same seed in every run of the tests', () => {
    const drawn = () => fc.sample(fc.nat(), 5);
    expect(fc.readConfigureGlobal().seed).toBeTypeOf('number');
    expect(drawn()).toEqual(drawn());
  });
});
