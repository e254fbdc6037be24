import { create, toBinary } from '@bufbuild/protobuf';
import {
  CONTINUE,
  defineConnFilter,
  type ConnFilter,
  type ConnHooks,
  type Connection,
  type FilterHost,
  type Verdict,
} from '@tulle/filter';
import { CONN_EXT_AUTHZ_FILTER, connExtAuthzFilterSchema, type ConnExtAuthzFilterConfig } from '@tulle/model';
import { jsonSchema } from '@tulle/schema';
import { peer, source } from './check-request.ts';
import { clusterAsker } from './cluster-client.ts';
import { CheckRequestSchema } from './gen/envoy/service/auth/v3/external_auth_pb.js';
import type { FailureReason, Outcome } from './outcome.ts';

const REASONS: readonly FailureReason[] = [
  'timeout',
  'unavailable',
  'invalid',
  'overflow',
  'status',
  'internal',
];

/** Decision notes (decision D10): allowed, denied, no answer (value: the reason's number), and the last in spite of that. */
const NOTE_ALLOWED = 1;
const NOTE_DENIED = 2;
const NOTE_FAILED = 3;
const NOTE_FAILURE_ALLOWED = 4;

interface ConnState {
  over: boolean;
}

/**
 * External authorization of connections (Envoy's network `ext_authz`): a service is asked once, after the handshake, by who connects
 * and where to. Whom it does not allow in time is closed before a byte is read.
 */
export const connExtAuthz: ConnFilter<ConnExtAuthzFilterConfig, ConnState> = defineConnFilter<
  ConnExtAuthzFilterConfig,
  ConnState
>({
  apiVersion: 1,
  id: CONN_EXT_AUTHZ_FILTER,
  summary: 'Asks a service over gRPC whether a connection may pass.',
  config: jsonSchema<ConnExtAuthzFilterConfig>(connExtAuthzFilterSchema),
  effects: 'external',
  failOpen: 'forbidden',
  notes: {
    [NOTE_ALLOWED]: 'allowed',
    [NOTE_DENIED]: 'denied',
    [NOTE_FAILED]: 'check failed',
    [NOTE_FAILURE_ALLOWED]: 'check failed, allowed',
  },
  state: {
    create: () => ({ over: false }),
    reset(state) {
      state.over = false;
    },
  },
  create: createConnExtAuthz,
});

function createConnExtAuthz(
  host: FilterHost,
  {
    service,
    timeoutMs = 200,
    failureMode,
    tellServerName = false,
    tellCertificate = false,
  }: ConnExtAuthzFilterConfig,
): ConnHooks<ConnExtAuthzFilterConfig, ConnState> {
  const ask = clusterAsker(host, service);
  const checks = (result: string): ReturnType<FilterHost['counter']> =>
    host.counter('conn_ext_authz_checks_total', 'Checks of connections by what came of them', { result });
  const [allowed, denied] = [checks('allowed'), checks('denied')];
  const failures = new Map(REASONS.map((reason) => [reason, checks(reason)]));
  let working = true;

  return {
    async handshake(connection, _config, state): Promise<Verdict> {
      const outcome = await ask(toBinary(CheckRequestSchema, question(connection)), timeoutMs);
      // Who connected went away meanwhile.
      return state.over ? CONTINUE : settle(connection, outcome);
    },
    close(_connection, _config, state) {
      state.over = true;
      return undefined;
    },
  };

  function question(connection: Connection) {
    const { localAddress, localPort, serverName } = connection;
    return create(CheckRequestSchema, {
      attributes: {
        source: source(connection, tellCertificate),
        destination: peer(localAddress, localPort, undefined),
        ...(tellServerName && serverName !== undefined && { tlsSession: { sni: serverName } }),
      },
    });
  }

  function settle(connection: Connection, outcome: Outcome): Verdict {
    if (outcome.kind === 'failed') return fails(connection, outcome.reason, outcome.message);
    if (!working) host.log.info('the authorization service of connections answers again');
    working = true;
    if (outcome.kind === 'allowed') {
      allowed.add();
      connection.note(NOTE_ALLOWED, 0);
      return CONTINUE;
    }
    denied.add();
    connection.note(NOTE_DENIED, 0);
    return connection.close('TULLE_EXT_AUTHZ_DENIED');
  }

  function fails(connection: Connection, reason: FailureReason, message: string): Verdict {
    failures.get(reason)?.add();
    if (working)
      host.log.warn(`the authorization service of connections gives no answer: ${reason}: ${message}`, {
        reason,
      });
    working = false;
    const passes = failureMode === 'allow';
    connection.note(passes ? NOTE_FAILURE_ALLOWED : NOTE_FAILED, REASONS.indexOf(reason));
    return passes ? CONTINUE : connection.close('TULLE_EXT_AUTHZ_ERROR', `ext_authz_error{${reason}}`);
  }
}
