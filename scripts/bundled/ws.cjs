// In the place of ws, which @fastify/http-proxy loads in any case: the gate proxies no WebSocket, and Prometheus has none.
'use strict';
module.exports = class WebSocket {
  constructor() {
    throw new Error('WebSockets are not proxied');
  }
};
module.exports.Server = module.exports;
