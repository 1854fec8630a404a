// What the gate and @fastify/reply-from use of undici, in the place of its index, which also loads fetch, WebSocket, mock
// agents and caches: a third of the code of a start. `api` gives a dispatcher its `request`, as the index does.
'use strict';
const Dispatcher = require('undici/lib/dispatcher/dispatcher');
Object.assign(Dispatcher.prototype, require('undici/lib/api'));
exports.Dispatcher = Dispatcher;
exports.Client = require('undici/lib/dispatcher/client');
exports.Pool = require('undici/lib/dispatcher/pool');
exports.Agent = require('undici/lib/dispatcher/agent');
exports.buildConnector = require('undici/lib/core/connect');
exports.errors = require('undici/lib/core/errors');
