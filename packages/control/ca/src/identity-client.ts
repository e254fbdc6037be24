import { randomBytes } from 'node:crypto';
import {
  Client,
  Metadata,
  status,
  type CallOptions,
  type ClientDuplexStream,
  type ServiceError,
} from '@grpc/grpc-js';
import { create } from '@bufbuild/protobuf';
import type { IdentitySnapshot, IdentitySource } from '@tulle/model';
import { derOfPem, readCertificate, toPem, workloadId } from '@tulle/spiffe';
import { backoffDelayMs, systemClock, type Clock } from '@tulle/time';
import { grpcService } from '@tulle/xds-proto/grpc';
import { firstContact } from './first-contact.ts';
import {
  AttestRequestSchema,
  HolderSchema,
  IdentityService,
  RenewRequestSchema,
  WatchRequestSchema,
  type IssueResponse,
  type WatchRequest,
  type WatchResponse,
} from './gen/tulle/ca/v1/ca_pb.ts';
import { createIdentityKeeper, type HeldIdentity, type Issued, type KeeperEvent } from './identity-keeper.ts';
import { parseJoinToken } from './join-tokens.ts';
import { joiningChannel, meshChannel, ServerRefusedError, type MeshChannel } from './mesh-channel.ts';
import { loadIdentity, saveIdentity } from './saved-identity.ts';
import { directoryStore, type SecretStore } from './store.ts';
import { bundlesFromWire } from './wire.ts';

export interface IdentityClientOptions {
  /** `host:port` of the control plane; IPv6 in brackets. A function is asked before each call, for one that may move. */
  readonly address: string | (() => string);
  readonly trustDomain: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  /**
   * Needed for the first certificate, and a new one when a certificate lapsed. A function is asked only then, once for
   * each token that is used up or refused; what it throws is reported, and it is asked again at the next attempt.
   */
  readonly joinToken?: string | (() => Promise<string | undefined>) | undefined;
  /**
   * What the workload claims, and its token grants. Where it claims something else than when it joined, it joins anew
   * with another token, before it is ready; without one it goes on with what it has. Absent: not compared.
   */
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** Name of this instance for people who look at the CA. Default none. */
  readonly instance?: string | undefined;
  /**
   * Resolves when whatever uses the identity uses this snapshot; the CA is told then. A change of roots waits for it:
   * give it where other processes have the identity too. Rejections are reported and it is asked again.
   */
  readonly inUse?: ((snapshot: IdentitySnapshot) => Promise<void>) | undefined;
  /** Where key and certificates are kept (0600) for a restart without the CA. Absent: only in memory. */
  readonly stateDir?: string | undefined;
  readonly clock?: Clock;
  readonly random?: () => number;
  /** Longest a call to the CA may take; default 10 000 ms. */
  readonly timeoutMs?: number;
  /** Must not throw. */
  readonly onEvent?: (event: IdentityClientEvent) => void;
}

export type IdentityClientEvent =
  | KeeperEvent
  | { readonly kind: 'saved-unusable'; readonly reason: string }
  /** It claims other labels than when it joined, and got no token for them. */
  | { readonly kind: 'labels-not-granted'; readonly error: Error }
  | { readonly kind: 'watch-ended'; readonly error: Error; readonly retryInMs: number }
  /** `inUse` failed. */
  | { readonly kind: 'not-in-use'; readonly error: Error; readonly retryInMs: number };

/** The CA will not issue, now or later, without another join token. */
export class JoinRefusedError extends Error {
  readonly code = 'TULLE_CA_JOIN_REFUSED';
  readonly permanent = true;
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'JoinRefusedError';
  }
}

/** A certificate for a request that somebody else made, whose key stays with them. */
export interface SignedCsr extends Issued {
  readonly spiffeId: string;
}

/** A workload's identity, obtained from the CA and kept alive. */
export interface IdentityClient extends IdentitySource {
  readonly spiffeId: string;
  /** The first identity. Rejects with JoinRefusedError when the CA refused for good; keeps trying while it is unreachable. */
  ready(): Promise<IdentitySnapshot>;
  /** When the certificate in use was obtained; undefined before the first. */
  readonly obtainedAtMs: number | undefined;
  /** End of the certificate in use; undefined before the first. */
  readonly expiresAtMs: number | undefined;
  /** Has the CA sign another request for the same identity: a process that makes its own key sends its CSR through this one. */
  signCsr(csrPem: string): Promise<SignedCsr>;
  /** Renews now; resolves when the new certificate is in use. */
  renewNow(): Promise<void>;
  /** Ends it; resolves when nothing is being written to the state directory any more. */
  close(): Promise<void>;
}

const methods = grpcService(IdentityService);

/**
 * Opens a workload's identity: the saved one while it is valid, else one for the join token. Renews it at half life
 * with jitter, follows trust bundles, renews at once when the CA asks for it.
 * @throws {StoreError} when the state directory cannot be used; {SpiffeIdError} for names that make no SPIFFE ID.
 */
export async function createIdentityClient(options: IdentityClientOptions): Promise<IdentityClient> {
  const { trustDomain } = options;
  const clock = options.clock ?? systemClock();
  const random = options.random ?? Math.random;
  const timeoutMs = options.timeoutMs ?? 10_000;
  const report = options.onEvent ?? ((): void => undefined);
  const spiffeId = workloadId(options);
  const addressNow = (): string =>
    typeof options.address === 'function' ? options.address() : options.address;
  splitAddress(addressNow());
  const epochMs = (): number => clock.epochMs();
  const store: SecretStore | undefined =
    options.stateDir === undefined
      ? undefined
      : directoryStore(options.stateDir, { directory: 'not-writable' });
  const loaded =
    store === undefined
      ? undefined
      : await loadIdentity(store, spiffeId, epochMs(), (reason) =>
          report({ kind: 'saved-unusable', reason }),
        );

  const holderId = loaded?.holderId ?? randomBytes(16).toString('hex');
  const holder = create(HolderSchema, { id: holderId, instance: options.instance ?? '' });

  interface Mesh {
    readonly address: string;
    readonly serial: string | undefined;
    readonly client: Client;
    readonly channel: MeshChannel;
  }
  let mesh: Mesh | undefined;
  const closeMesh = (one: Mesh | undefined): void => {
    one?.client.close();
    one?.channel.close();
  };
  /**
   * A connection for each certificate: the CA judges a call by the one that its connection was made with, which ends
   * while the connection stands, and with the root that it stands on.
   */
  const meshClient = (): Client => {
    const address = addressNow();
    const serial = keeper.current()?.svid.serial;
    if (mesh === undefined || mesh.address !== address || mesh.serial !== serial) {
      closeMesh(mesh);
      const channel = meshChannel(trustDomain, { identity: keeper, epochMs });
      channel.onUntrusted(() => {
        if (mesh?.channel !== channel) return;
        closeMesh(mesh);
        mesh = undefined;
        const before = watching;
        if (before === undefined) return;
        watch();
        before.cancel();
      });
      mesh = { address, serial, channel, client: new Client(address, channel.credentials, channel.options) };
    }
    return mesh.client;
  };

  // Kept until the CA has taken or refused it: where an answer was lost, the same token serves the same key again.
  let token: string | undefined;
  const attest = async (csrDer: Buffer): Promise<Issued> => {
    const isNew = token === undefined;
    token ??= await askForToken(options.joinToken, spiffeId);
    try {
      const issued = await attestWith(token, csrDer);
      token = undefined;
      return issued;
    } catch (error) {
      if (!(error instanceof JoinRefusedError)) throw error;
      token = undefined;
      // One that was kept may have expired since; another is asked for before the refusal counts.
      if (typeof options.joinToken === 'function' && !isNew) throw new Error(error.message, { cause: error });
      throw error;
    }
  };

  const attestWith = async (joinToken: string, csrDer: Buffer): Promise<Issued> => {
    const parsed = parseJoinToken(joinToken);
    if (parsed === undefined)
      throw new JoinRefusedError(
        'the join token is not one: it has the form tulle-join-1.<id>.<secret>.<pin>; was it cut when it was copied?',
      );
    const address = addressNow();
    try {
      const { host, port } = splitAddress(address);
      const bundle = await firstContact({ host, port, trustDomain, pin: parsed.pin, timeoutMs, epochMs });
      const channel = joiningChannel(trustDomain, bundle, epochMs);
      const client = new Client(address, channel.credentials, channel.options);
      try {
        return issuedFrom(
          await unary(
            client,
            'attest',
            create(AttestRequestSchema, { joinToken, csrDer, holder }),
            timeoutMs,
          ),
        );
      } finally {
        client.close();
        channel.close();
      }
    } catch (error) {
      if (error instanceof ServerRefusedError) throw new JoinRefusedError(error.message, { cause: error });
      const code = error instanceof Error && 'code' in error ? error.code : undefined;
      if (code === status.PERMISSION_DENIED || code === status.INVALID_ARGUMENT)
        throw new JoinRefusedError(
          `the CA at ${address} gave ${spiffeId} no certificate: ${error instanceof Error ? error.message : ''}`,
          { cause: error },
        );
      throw error;
    }
  };

  const renew = async (csrDer: Buffer): Promise<Issued> =>
    issuedFrom(await unary(meshClient(), 'renew', create(RenewRequestSchema, { csrDer, holder }), timeoutMs));

  /** It claims other labels than when it joined. */
  let relabelled =
    loaded?.labels !== undefined &&
    options.labels !== undefined &&
    !sameLabels(loaded.labels, options.labels);
  const joinAnew = async (csrDer: Buffer): Promise<Issued> => {
    try {
      const issued = await attest(csrDer);
      relabelled = false;
      return issued;
    } catch (error) {
      report({
        kind: 'labels-not-granted',
        error: error instanceof Error ? error : new Error(String(error)),
      });
      return renew(csrDer);
    }
  };
  const isValid = (held: HeldIdentity): boolean => epochMs() < held.snapshot.svid.notAfterMs;
  const keeper = createIdentityKeeper({
    spiffeId,
    clock,
    random,
    obtain: (csrDer, held) =>
      held === undefined || !isValid(held) ? attest(csrDer) : relabelled ? joinAnew(csrDer) : renew(csrDer),
    ...(loaded === undefined ? {} : { initial: loaded.held }),
    ...(store === undefined
      ? {}
      : {
          save: (held: HeldIdentity): Promise<void> =>
            saveIdentity(store, { holderId, held, labels: relabelled ? loaded?.labels : options.labels }),
        }),
    onEvent: report,
  });

  let closed = false;
  let watching: ClientDuplexStream<WatchRequest, WatchResponse> | undefined;
  let cancelRetry = (): void => undefined;
  let failures = 0;
  /** What all that use the identity use. */
  let used = { bundleGeneration: 0, leafEpoch: 0 };
  const tellUse = (): void => {
    const bundleGeneration = BigInt(used.bundleGeneration);
    watching?.write(
      create(WatchRequestSchema, { holder, bundleGeneration, leafEpoch: BigInt(used.leafEpoch) }),
    );
  };
  const confirming = latestOnly(
    async (held: HeldIdentity) => {
      await options.inUse?.(held.snapshot);
      const own = held.snapshot.bundles.find((bundle) => bundle.trustDomain === trustDomain);
      used = { bundleGeneration: own?.generation ?? 0, leafEpoch: held.leafEpoch };
      tellUse();
    },
    clock,
    (error, retryInMs) => report({ kind: 'not-in-use', error, retryInMs }),
  );
  const heldChanged = (): void => {
    const { held } = keeper;
    if (held === undefined) return;
    confirming.set(held);
    if (watching !== undefined && mesh?.serial !== held.snapshot.svid.serial) {
      const before = watching;
      watch();
      before.cancel();
    }
  };
  const watch = (): void => {
    if (closed) return;
    const { path, requestSerialize, responseDeserialize } = methods.watch;
    const stream = meshClient().makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
    watching = stream;
    stream.on('data', (message: WatchResponse) => {
      failures = 0;
      keeper.adoptBundles(bundlesFromWire(message.bundles));
      keeper.epochSeen(Number(message.leafEpoch), message.renewSpreadMs);
    });
    const ended = (error: Error): void => {
      if (watching !== stream) return;
      watching = undefined;
      if (closed) return;
      failures = Math.min(failures + 1, 30);
      const retryInMs = Math.max(50, backoffDelayMs(failures, { baseMs: 250, maxMs: 10_000 }, random));
      report({ kind: 'watch-ended', error, retryInMs });
      cancelRetry = clock.setTimer(retryInMs, watch);
    };
    stream.on('error', ended);
    stream.on('end', () => ended(new Error('the CA ended the stream')));
    tellUse();
  };
  keeper.subscribe(heldChanged);
  heldChanged();
  // Whoever looks at the labels does so when it joins the mesh, which is when this is ready.
  const claimed = relabelled ? keeper.renewNow().catch(() => undefined) : Promise.resolve();
  const ready = async (): Promise<IdentitySnapshot> => claimed.then(() => keeper.ready());
  ready().then(watch, () => undefined);

  return {
    spiffeId,
    current: () => keeper.current(),
    subscribe: (listener) => keeper.subscribe(listener),
    ready,
    get obtainedAtMs() {
      return keeper.held?.obtainedAtMs;
    },
    get expiresAtMs() {
      return keeper.held?.snapshot.svid.notAfterMs;
    },
    async signCsr(csrPem) {
      const csrDer = derOfPem('CERTIFICATE REQUEST', csrPem);
      if (csrDer === undefined) throw new TypeError('csrPem is no PEM of a CERTIFICATE REQUEST');
      await keeper.ready();
      return { ...(await renew(csrDer)), spiffeId };
    },
    renewNow: () => keeper.renewNow(),
    close() {
      closed = true;
      cancelRetry();
      confirming.close();
      const saved = keeper.close();
      watching?.cancel();
      closeMesh(mesh);
      return saved;
    },
  };
}

const inUseRetryMs = 1_000;

/** Does something with the newest value, one after the other; values that are overtaken meanwhile are left out. */
function latestOnly<T>(
  act: (value: T) => Promise<void>,
  clock: Clock,
  failed: (error: Error, retryInMs: number) => void,
): { set(value: T): void; close(): void } {
  let next: { readonly value: T } | undefined;
  let running = false;
  let closed = false;
  let cancelRetry = (): void => undefined;
  const run = async (): Promise<void> => {
    if (running || closed) return;
    running = true;
    while (next !== undefined && !closed) {
      const now = next;
      next = undefined;
      try {
        await act(now.value);
      } catch (error) {
        next ??= now;
        if (closed) break;
        failed(error instanceof Error ? error : new Error(String(error)), inUseRetryMs);
        cancelRetry = clock.setTimer(inUseRetryMs, () => void run());
        break;
      }
    }
    running = false;
  };
  return {
    set(value) {
      next = { value };
      void run();
    },
    close() {
      closed = true;
      cancelRetry();
    },
  };
}

async function askForToken(joinToken: IdentityClientOptions['joinToken'], spiffeId: string): Promise<string> {
  let token: string | undefined;
  try {
    token = typeof joinToken === 'function' ? await joinToken() : joinToken;
  } catch (error) {
    throw new JoinRefusedError(
      `no join token for ${spiffeId}: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    );
  }
  if (token === undefined)
    throw new JoinRefusedError(
      `${spiffeId} has no valid certificate and no join token; start it with a new join token`,
    );
  return token;
}

function unary<Name extends 'attest' | 'renew'>(
  client: Client,
  name: Name,
  request: Parameters<(typeof methods)[Name]['requestSerialize']>[0],
  timeoutMs: number,
): Promise<IssueResponse> {
  const method = methods[name];
  const serialize = method.requestSerialize;
  const options: CallOptions = { deadline: Date.now() + timeoutMs };
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      method.path,
      serialize,
      method.responseDeserialize,
      request,
      new Metadata(),
      options,
      (error: ServiceError | null, answer) => {
        if (error !== null) reject(error);
        else if (answer === undefined) reject(new Error('the CA answered nothing'));
        else resolve(answer);
      },
    );
  });
}

function issuedFrom(answer: IssueResponse): Issued {
  const [leaf] = answer.certificateChainDer;
  if (leaf === undefined) throw new Error('the CA answered without a certificate');
  const { serial, notBeforeMs, notAfterMs } = readCertificate(Buffer.from(leaf));
  return {
    certificateChainPem: answer.certificateChainDer.map((der) => toPem('CERTIFICATE', der)).join(''),
    serial,
    notBeforeMs,
    notAfterMs,
    leafEpoch: Number(answer.leafEpoch),
    bundles: bundlesFromWire(answer.bundles),
  };
}

function splitAddress(address: string): { host: string; port: number } {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]/]+)):(\d{1,5})$/.exec(address);
  const port = Number(match?.[3]);
  if (match === null || port < 1 || port > 65_535)
    throw new TypeError(
      `address ${JSON.stringify(address)} is not host:port, such as 127.0.0.1:15012 or [::1]:15012`,
    );
  return { host: match[1] ?? match[2] ?? '', port };
}

function sameLabels(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}
