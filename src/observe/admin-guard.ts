/**
 * Who may ask the admin listener what. Pure. Against DNS rebinding it answers only to a Host that a stranger's name
 * server cannot choose; against cross-site requests no page of another origin changes anything; from beyond this host
 * only what a Prometheus or a load balancer needs is there.
 */
import { isIP, isIPv4 } from 'node:net';

export interface AdminQuestion {
  readonly method: string;
  readonly path: string;
  readonly host: string | undefined;
  readonly origin: string | undefined;
  readonly fetchSite: string | undefined;
  /** Both ends of the connection are this host: loopback on both sides, or a unix socket. */
  readonly local: boolean;
}

export interface AdminRefusal {
  readonly status: 403 | 421;
  readonly message: string;
}

const SAFE_METHODS = new Set(['GET', 'HEAD']);
/** What answers beyond loopback. */
export const REMOTE_PATHS: ReadonlySet<string> = new Set(['/metrics', '/-/healthy', '/-/ready']);

/** @param hosts configured host names, lower case. @returns null when the question may be answered. */
export function judgeAdminQuestion(question: AdminQuestion, hosts: ReadonlySet<string>): AdminRefusal | null {
  if (!isKnownHost(question.host, hosts)) {
    return {
      status: 421,
      message: 'this Host is not answered here; use an IP address, localhost, or a name listed in admin_hosts',
    };
  }
  const safe = SAFE_METHODS.has(question.method);
  if (!question.local && !(safe && REMOTE_PATHS.has(question.path))) {
    return {
      status: 403,
      message:
        'from beyond this host only GET /metrics, /-/healthy and /-/ready are answered; ask on loopback or a unix socket',
    };
  }
  if (!safe && isForeign(question)) {
    return { status: 403, message: 'a request of another origin changes nothing here' };
  }
  return null;
}

/** RFC 9110 §7.2: `host[:port]`; an IPv6 literal stands in brackets. */
function isKnownHost(host: string | undefined, hosts: ReadonlySet<string>): boolean {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]]+))(?::\d{1,5})?$/.exec(host ?? '');
  if (match === null) return false;
  const [, literal, name] = match;
  if (literal !== undefined) return isIP(literal) === 6;
  const lower = (name ?? '').toLowerCase();
  return isIPv4(lower) || lower === 'localhost' || hosts.has(lower);
}

/** Browsers say where a request comes from; what is no browser says nothing. */
function isForeign({ host, origin, fetchSite }: AdminQuestion): boolean {
  if (origin !== undefined && origin.toLowerCase() !== `http://${(host ?? '').toLowerCase()}`) return true;
  return fetchSite !== undefined && fetchSite !== 'same-origin' && fetchSite !== 'none';
}

/**
 * Whether both ends of a TCP connection are loopback. Both, because a host may route 127.0.0.0/8 inwards
 * (`route_localnet`, CVE-2020-8558).
 */
export function isLocalConnection(localAddress: string | undefined, remoteAddress: string | undefined): boolean {
  return isLoopback(localAddress) && isLoopback(remoteAddress);
}

function isLoopback(address: string | undefined): boolean {
  if (address === undefined) return false;
  const plain = address.toLowerCase().replace(/^::ffff:(?=\d)/, '');
  return plain === '::1' || (isIPv4(plain) && plain.startsWith('127.'));
}
