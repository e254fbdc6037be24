import { type ServerDuplexStream, status } from '@grpc/grpc-js';
import type { Log } from '@tulle/filter';
import type { Clock } from '@tulle/time';
import { createSecretStream, SECRET_TYPE_URL, type StreamProtocol, StreamFault } from '@tulle/xds-server';
import type {
  DeltaDiscoveryRequest,
  DiscoveryRequest,
} from '@tulle/xds-proto/envoy/service/discovery/v3/discovery';
import type { AgentMetrics } from './metrics.ts';
import { noSuchSecret } from './no-such-secret.ts';
import type { AgentSecrets } from './secrets.ts';

/** What a stream of secrets is given. */
export interface SecretsCallOptions<Message> {
  readonly protocol: StreamProtocol<Message>;
  readonly current: () => AgentSecrets;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: AgentMetrics;
  readonly ackTimeoutMs: number;
  readonly onAnswer: () => void;
  readonly onEnd: () => void;
}

/** How a client of SDS stands. */
export interface SecretsCallStatus {
  /** `Node.id` of its first request; absent before, and where it does not say. */
  readonly node?: string;
  /** Names of the secrets that it follows. */
  readonly secrets: readonly string[];
  readonly upToDate: boolean;
  /** Why it refused the last that it was sent. */
  readonly refused?: string;
  readonly sinceMs: number;
}

/** An open stream. */
export interface SecretsCall {
  /** The secrets changed. */
  changed(): void;
  /** Whether it has taken everything that it follows, as it is now. */
  settled(): boolean;
  status(): SecretsCallStatus;
  end(code: status, details: string): void;
}

/** Whoever opens a stream says at once what it wants. */
const FIRST_REQUEST_MS = 10_000;
/** A client has a certificate and some roots; more names are no purpose but a fault. */
const MAX_NAMES = 1_000;

/** Binds the state machine of secrets to a gRPC call. */
export function openSecretsCall<Message extends DeltaDiscoveryRequest | DiscoveryRequest>(
  call: ServerDuplexStream<Message, Buffer>,
  options: SecretsCallOptions<Message>,
): SecretsCall {
  const { protocol, clock, log, metrics } = options;
  const sinceMs = clock.epochMs();
  /** Followed by name. */
  const named = new Set<string>();
  /** Followed because nothing was named. */
  let unnamed: ReadonlySet<string> | undefined;
  let node: string | undefined;
  let refused: string | undefined;
  let first = true;
  let over = false;
  let cancelTimer = (): void => undefined;

  const machine = createSecretStream({
    current: () => options.current().byName,
    maxNames: MAX_NAMES,
    canRemove: !protocol.stateOfTheWorld,
    send({ nonce, resources, removed }) {
      metrics.sent.add(resources.length);
      cancelTimer();
      if (options.ackTimeoutMs > 0)
        cancelTimer = clock.setTimer(options.ackTimeoutMs, () =>
          fail(
            status.DEADLINE_EXCEEDED,
            `No answer to nonce ${nonce} for ${options.ackTimeoutMs} ms (ackTimeoutMs).`,
          ),
        );
      call.write(
        protocol.write({
          typeUrl: SECRET_TYPE_URL,
          changeId: '',
          last: undefined,
          nonce,
          resources,
          removed,
        }),
      );
    },
    unknown(name) {
      metrics.unknown.add();
      log.warn(noSuchSecret(name, options.current().byName.keys()), { node });
    },
    answered(ok, reason) {
      cancelTimer();
      refused = ok ? undefined : reason;
      (ok ? metrics.acks : metrics.nacks).add();
      if (!ok) log.warn('a client refused a secret; it goes on with the one before', { node, reason });
    },
  });

  function finish(): void {
    if (over) return;
    over = true;
    cancelTimer();
    options.onEnd();
  }

  function fail(code: status, details: string): void {
    if (over) return;
    finish();
    log.warn('a stream of secrets was ended', { node, reason: details });
    call.emit('error', { code, details });
  }

  /** What is followed because nothing was named, as there is now. @returns what that adds, and takes away */
  function followUnnamed(): { subscribe: string[]; unsubscribe: string[] } {
    const before = unnamed ?? new Set<string>();
    const now = new Set(options.current().unnamed);
    unnamed = now;
    return {
      subscribe: [...now].filter((name) => !before.has(name) && !named.has(name)),
      unsubscribe: [...before].filter((name) => !now.has(name) && !named.has(name)),
    };
  }

  function read(message: Message): void {
    node ??= message.node?.id === '' ? undefined : message.node?.id;
    // The service says which type it is (xDS "type_url is implicit if a request is made via singleton xDS APIs").
    if (message.typeUrl === '') message.typeUrl = SECRET_TYPE_URL;
    if (message.typeUrl !== SECRET_TYPE_URL)
      throw new StreamFault(
        status.INVALID_ARGUMENT,
        `This is a service of secrets; ${message.typeUrl.slice(0, 200)} is not served here.`,
      );
    const request = protocol.read(message);
    if (request === undefined) return;
    const all = request.subscribe.includes('*') || (first && request.subscribe.length === 0);
    if (first) cancelTimer();
    first = false;
    const subscribe = request.subscribe.filter((name) => name !== '*');
    let unsubscribe = request.unsubscribe.filter((name) => name !== '*');
    for (const name of subscribe) named.add(name);
    for (const name of unsubscribe) named.delete(name);
    if (unnamed !== undefined && request.unsubscribe.includes('*')) {
      unsubscribe = [...unsubscribe, ...[...unnamed].filter((name) => !named.has(name))];
      unnamed = undefined;
    } else if (all && unnamed === undefined) subscribe.push(...followUnnamed().subscribe);
    machine.request({
      nonce: request.nonce,
      ...(request.error === undefined ? {} : { error: request.error }),
      subscribe,
      unsubscribe: unsubscribe.filter((name) => unnamed?.has(name) !== true),
    });
  }

  cancelTimer = clock.setTimer(FIRST_REQUEST_MS, () =>
    fail(status.DEADLINE_EXCEEDED, 'The first request did not come in time.'),
  );
  call.on('data', (message: Message) => {
    if (over) return;
    try {
      read(message);
    } catch (error) {
      if (error instanceof StreamFault) return fail(error.code, error.message);
      log.error('a stream of secrets ended: defect', { node, error });
      return fail(status.INTERNAL, 'The agent failed to handle a request; its log has the reason.');
    }
    options.onAnswer();
  });
  call.on('end', () => {
    finish();
    call.end();
  });
  for (const event of ['cancelled', 'error', 'close'] as const) call.on(event, finish);

  return {
    changed() {
      if (over) return;
      if (unnamed !== undefined) {
        const { subscribe, unsubscribe } = followUnnamed();
        if (subscribe.length + unsubscribe.length > 0) machine.request({ nonce: '', subscribe, unsubscribe });
      }
      machine.changed();
    },
    settled: () => machine.settled() && refused === undefined,
    status: () => ({
      ...(node === undefined ? {} : { node }),
      secrets: [...new Set([...named, ...(unnamed ?? [])])],
      upToDate: machine.settled() && refused === undefined,
      ...(refused === undefined ? {} : { refused }),
      sinceMs,
    }),
    end: fail,
  };
}
