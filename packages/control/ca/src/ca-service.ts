import { create } from '@bufbuild/protobuf';
import {
  status,
  type Server,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type sendUnaryData,
} from '@grpc/grpc-js';
import { grpcService } from '@tulle/xds-proto/grpc';
import type { Ca, IssuedSvid } from './ca.ts';
import type { CaRefusedEvent } from './ca-events.ts';
import { CaError } from './errors.ts';
import {
  IdentityService,
  IssueResponseSchema,
  WatchResponseSchema,
  type AttestRequest,
  type IssueResponse,
  type RenewRequest,
  type WatchRequest,
  type WatchResponse,
} from './gen/tulle/ca/v1/ca_pb.ts';
import type { GrpcCall } from './mesh-grpc-server.ts';
import { bundlesToWire, holderFromWire } from './wire.ts';

export interface CaServiceOptions {
  /** The SPIFFE ID that the caller proved in TLS, or undefined: `MeshGrpcServer.callerIdentity`. */
  readonly callerIdentity: (call: GrpcCall) => string | undefined;
  /** Most Watch streams held open; default 10 000. Past it a client is told RESOURCE_EXHAUSTED and tries again later. */
  readonly maxWatchers?: number;
  /**
   * When all leaves are to be renewed, each client waits a random time up to this for every client watching:
   * default 10 ms, so that 2000 clients spread over 20 s and five over 50 ms.
   */
  readonly renewSpreadMsPerClient?: number;
  /** Refusals that the CA itself does not see: calls without identity. Where `CaOptions.onEvent` goes too. Must not throw. */
  readonly onRefused?: (event: CaRefusedEvent) => void;
}

/** What a mounted CA service tells for metrics. */
export interface CaService {
  readonly watchers: number;
}

/** What the caller of a refused call is told. Of a token only that it was refused: why is in the CA's log. */
function answerFor(error: unknown): { code: status; details: string } {
  if (!(error instanceof CaError))
    return { code: status.INTERNAL, details: 'the CA failed; its log has the reason' };
  switch (error.reason) {
    case 'token-malformed':
    case 'token-unknown':
    case 'token-forged':
    case 'token-expired':
    case 'token-used':
    case 'token-revoked':
      return { code: status.PERMISSION_DENIED, details: 'the join token was refused; ask for a new one' };
    case 'csr-malformed':
    case 'csr-weak-key':
    case 'csr-excess':
    case 'csr-identity':
      return { code: status.INVALID_ARGUMENT, details: `${error.reason}: ${error.message}` };
    case 'no-identity':
      return { code: status.UNAUTHENTICATED, details: error.message };
    case 'foreign-identity':
    case 'reserved-identity':
      return { code: status.PERMISSION_DENIED, details: error.message };
    case 'issuer-too-short':
    case 'too-many-tokens':
    case 'rotation-running':
    case 'no-rotation':
      return { code: status.UNAVAILABLE, details: error.message };
  }
}

/** Mounts `tulle.ca.v1.IdentityService` on a gRPC server, beside whatever else it serves. */
export function addCaService(server: Server, ca: Ca, options: CaServiceOptions): CaService {
  const maxWatchers = options.maxWatchers ?? 10_000;
  const spreadMs = options.renewSpreadMsPerClient ?? 10;
  let watchers = 0;

  const identityOf = (call: GrpcCall & { getPeer(): string }, how: 'renew' | 'watch'): string => {
    const id = options.callerIdentity(call);
    if (id !== undefined) return id;
    const detail = `${how === 'renew' ? 'Renew' : 'Watch'} needs a client certificate of this mesh; join with a token first`;
    options.onRefused?.({ kind: 'refused', how, reason: 'no-identity', detail, peer: call.getPeer() });
    throw new CaError('no-identity', detail);
  };

  const answer = async (
    work: () => Promise<IssuedSvid>,
    reply: sendUnaryData<IssueResponse>,
  ): Promise<void> => {
    let issued: IssuedSvid;
    try {
      issued = await work();
    } catch (error) {
      reply(answerFor(error));
      return;
    }
    reply(null, issueResponse(issued));
  };

  server.addService(grpcService(IdentityService), {
    attest(call: ServerUnaryCall<AttestRequest, IssueResponse>, callback: sendUnaryData<IssueResponse>) {
      const { joinToken, csrDer, holder } = call.request;
      const caller = { ...holderFromWire(holder), peer: call.getPeer() };
      void answer(() => ca.attest(joinToken, csrDer, caller), callback);
    },
    renew(call: ServerUnaryCall<RenewRequest, IssueResponse>, callback: sendUnaryData<IssueResponse>) {
      const { csrDer, holder } = call.request;
      const caller = { ...holderFromWire(holder), peer: call.getPeer() };
      void answer(async () => ca.renew(identityOf(call, 'renew'), csrDer, caller), callback);
    },
    watch(call: ServerDuplexStream<WatchRequest, WatchResponse>) {
      let callerId: string;
      try {
        callerId = identityOf(call, 'watch');
      } catch (error) {
        call.emit('error', answerFor(error));
        return;
      }
      if (watchers >= maxWatchers) {
        call.emit('error', {
          code: status.RESOURCE_EXHAUSTED,
          details: `${maxWatchers} clients watch already; raise maxWatchers`,
        });
        return;
      }
      watchers++;
      // A slow reader gets the newest state when it reads again, not a queue of old ones.
      let stale = false;
      let blocked = false;
      const send = (): void => {
        if (blocked) {
          stale = true;
          return;
        }
        const { bundles, leafEpoch } = ca.published();
        const renewSpreadMs = Math.min(watchers * spreadMs, 600_000);
        blocked = !call.write(
          create(WatchResponseSchema, {
            bundles: bundlesToWire(bundles),
            leafEpoch: BigInt(leafEpoch),
            renewSpreadMs,
          }),
        );
      };
      call.on('drain', () => {
        blocked = false;
        if (stale) {
          stale = false;
          send();
        }
      });
      const unsubscribe = ca.subscribe(send);
      let leave: (() => void) | undefined;
      call.on('data', ({ holder, bundleGeneration, leafEpoch }: WatchRequest) => {
        const who = holderFromWire(holder);
        leave ??= ca.watching(callerId, who);
        ca.confirm(callerId, who, {
          bundleGeneration: Number(bundleGeneration),
          leafEpoch: Number(leafEpoch),
        });
      });
      let ended = false;
      const end = (): void => {
        if (ended) return;
        ended = true;
        watchers--;
        unsubscribe();
        leave?.();
      };
      for (const event of ['cancelled', 'close', 'error'] as const) call.on(event, end);
      send();
    },
  });

  return {
    get watchers() {
      return watchers;
    },
  };
}

function issueResponse(issued: IssuedSvid): IssueResponse {
  return create(IssueResponseSchema, {
    certificateChainDer: [...issued.certificateChainDer],
    spiffeId: issued.spiffeId,
    bundles: bundlesToWire(issued.bundles),
    leafEpoch: BigInt(issued.leafEpoch),
  });
}
