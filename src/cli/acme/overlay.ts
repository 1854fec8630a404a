/**
 * Lays the certificates that the gate obtains itself over each configuration, before it is put to work. The keeper of
 * the certificates outlives reloads; another `acme` section makes another one, and a configuration that cannot be put to
 * work leaves the old one where it is.
 */
import type { AcmeSettings, Config, KeyPair } from '../../config/config.ts';
import { createAcmeService } from './service.ts';
import type { AcmeService, AcmeServicePorts } from './service.ts';

export interface OverlayPorts extends Omit<AcmeServicePorts, 'onChange' | 'predecessors'> {
  /** Whether keys of different types can be served beside each other: Node 24 and later. */
  readonly mixesKeyTypes: boolean;
  /** Puts a whole configuration to work; when it throws, the old one stays. */
  apply(config: Config): Promise<void>;
}

export interface AcmeOverlay {
  /** Applies with certificates, one after the other; each has a generation of its own. @throws what `apply` throws */
  apply(config: Config): Promise<void>;
  /** Connections are accepted: the CA may ask now. */
  start(): void;
  /** null: no `acme` is in force. */
  current(): AcmeService | null;
  /** Waits until every certificate that came is in force. */
  settled(): Promise<void>;
  close(): Promise<void>;
}

export function createAcmeOverlay(ports: OverlayPorts): AcmeOverlay {
  const { clock, log, metrics } = ports;
  let inForce: Config | null = null;
  let service: AcmeService | null = null;
  let generation = 0;
  /** What may be served until a CA has issued: what the configuration names, and what is in force. */
  let fromFiles: readonly KeyPair[] = [];
  let served: readonly KeyPair[] = [];
  let isStarted = false;
  let isClosed = false;
  let turn: Promise<unknown> = Promise.resolve();
  /** Old keepers, while they end what they are at. */
  let leaving: Promise<void> = Promise.resolve();

  const inTurn = (work: () => Promise<void>): Promise<void> => {
    const mine = turn.then(work);
    turn = mine.catch(() => undefined);
    return mine;
  };

  const serviceFor = async ({ acme }: Config): Promise<AcmeService | null> => {
    if (acme === null) return null;
    if (service !== null && JSON.stringify(service.settings) === JSON.stringify(acme)) return service;
    const made = await createAcmeService(acme, {
      clock,
      log,
      metrics,
      predecessors() {
        const all = [...fromFiles, ...served];
        return ports.mixesKeyTypes ? all : ofOneKeyType(all, acme);
      },
      onChange() {
        // A keeper that is on its way in or out has its certificates laid over by whoever brings it.
        if (made === service) renewed();
      },
    });
    try {
      await made.manager.open();
    } catch (error) {
      await made.close();
      throw error;
    }
    return made;
  };

  const lay = (config: Config, keeper: AcmeService | null): Config => {
    generation += 1;
    if (keeper === null || config.tls === null) return { ...config, generation };
    return { ...config, generation, tls: { ...config.tls, certificates: keeper.manager.pairs() } };
  };

  const put = async (config: Config): Promise<void> => {
    await ports.apply(config);
    served = config.tls?.certificates ?? [];
  };

  const applyNow = async (config: Config): Promise<void> => {
    const filesBefore = fromFiles;
    fromFiles = config.tls?.certificates ?? [];
    let keeper: AcmeService | null = null;
    try {
      keeper = await serviceFor(config);
      await put(lay(config, keeper));
    } catch (error) {
      fromFiles = filesBefore;
      if (keeper !== service) await keeper?.close();
      throw error;
    }
    inForce = config;
    if (keeper === service) return;
    const old = service;
    service = keeper;
    leaving = Promise.all([leaving, old?.close()])
      .catch((error: unknown) => {
        log.error({ err: error }, 'the old keeper of certificates did not end in order');
      })
      .then(() => {
        // Not before the other has left the port of its challenge and its locks.
        if (isStarted && !isClosed && keeper === service) keeper?.manager.start();
      });
  };

  const renewed = (): void => {
    inTurn(async () => {
      if (inForce !== null && !isClosed) await put(lay(inForce, service));
    }).catch((error: unknown) => {
      const detail = error instanceof Error ? error.message : 'unknown error';
      log.error({ detail }, 'a new certificate could not be put to work, the old one is served');
    });
  };

  return {
    apply: (config) => inTurn(() => applyNow(config)),
    start() {
      isStarted = true;
      service?.manager.start();
    },
    current: () => service,
    async settled() {
      await turn;
    },
    async close() {
      isClosed = true;
      await turn;
      await leaving;
      await service?.close();
    },
  };
}

/** Node before 24 serves the wrong certificate beside one whose key is of another type: those that fit the wanted ones. */
function ofOneKeyType(pairs: readonly KeyPair[], { certificates: [first, ...others] }: AcmeSettings): KeyPair[] {
  const wanted = first?.keyType.startsWith('rsa') === true ? 'rsa' : 'ec';
  // A single one takes its predecessors out of service as it comes.
  const type = others.length > 0 ? wanted : pairs[0]?.keyType;
  return pairs.filter(({ keyType }) => keyType === type);
}
