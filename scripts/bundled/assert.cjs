// node:assert without its search for words: for an assertion without a message Node 20 reads the program's file and parses
// it anew with every line, which takes seconds of the event loop in a joined file. What fails says less here, at once.
'use strict';

class AssertionError extends Error {
  constructor({ message = 'assertion failed', actual, expected, operator }) {
    super(message);
    this.name = 'AssertionError';
    this.code = 'ERR_ASSERTION';
    Object.assign(this, { generatedMessage: false, actual, expected, operator });
  }
}

/** As all of node:assert: a message that is an Error is thrown itself. */
function fail(message, details) {
  throw message instanceof Error ? message : new AssertionError({ message, ...details });
}

function assert(value, message) {
  if (!value) fail(message, { actual: value, expected: true, operator: '==' });
}

module.exports = Object.assign(assert, {
  AssertionError,
  ok: assert,
  fail: (message) => fail(message, { operator: 'fail' }),
  equal(actual, expected, message) {
    if (actual != expected) fail(message, { operator: '==' });
  },
  notEqual(actual, expected, message) {
    if (actual == expected) fail(message, { operator: '!=' });
  },
  strictEqual(actual, expected, message) {
    if (!Object.is(actual, expected)) fail(message, { operator: 'strictEqual' });
  },
  notStrictEqual(actual, expected, message) {
    if (Object.is(actual, expected)) fail(message, { operator: 'notStrictEqual' });
  },
});
assert.strict = assert;
