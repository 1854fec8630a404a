/**
 * Takes SIGUSR1 away from Node, which would open its debugger on 127.0.0.1:9229 to every user of the host, who then reads
 * keys and passwords. Imported first, and for its effect: a listener is what keeps Node's own handler out. Node 22.14 and
 * later have --disable-sigusr1 besides, which earlier ones refuse to start with.
 */
process.on('SIGUSR1', () => undefined);
