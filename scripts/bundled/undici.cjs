// What the gate and @fastify/reply-from use of undici, in the place of its index, which also loads fetch, WebSocket, mock
// agents and caches: a third of the code of a start. A test compares the names with those that reply-from asks for.
'use strict';
const Dispatcher = require('undici/lib/dispatcher/dispatcher');
// As the index does: it gives every dispatcher its `request`.
Object.assign(Dispatcher.prototype, require('undici/lib/api'));
exports.Dispatcher = Dispatcher;
exports.Client = require('undici/lib/dispatcher/client');
exports.Pool = require('undici/lib/dispatcher/pool');
exports.BalancedPool = require('undici/lib/dispatcher/balanced-pool');
exports.Agent = require('undici/lib/dispatcher/agent');
exports.buildConnector = require('undici/lib/core/connect');
exports.errors = require('undici/lib/core/errors');

// Asked for where reply-from makes its own connections; the gate hands it a transport.
const absent = (name) => {
  throw new Error(`undici's ${name} is not part of the bundle`);
};
exports.ProxyAgent = class {
  constructor() {
    absent('ProxyAgent');
  }
};
exports.getGlobalDispatcher = () => absent('global dispatcher');
