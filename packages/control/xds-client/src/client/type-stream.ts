import type { Backoff } from '@tulle/time';
import type { DiscoverySource } from '../decode/discovery-source.ts';
import { serverKey } from '../decode/discovery-source.ts';
import { type ClientRequest, clientRequest, type ServerResponse } from '../session/messages.ts';
import { type AdsCall, openAdsCall } from './ads-call.ts';
import { createOutageLog } from './outage-log.ts';
import { typeProtocols } from './protocol.ts';
import type { SideStream, SideStreamOptions } from './side-streams.ts';

/**
 * A stream of one type from one server (Envoy `api_config_source` GRPC and DELTA_GRPC). Lost, it is opened again by itself and asks
 * for the same, claiming what came; the session hears nothing of it, and what is in use stays in use.
 */
export function createTypeStream(
  source: Extract<DiscoverySource, { kind: 'grpc' }>,
  typeUrl: string,
  options: SideStreamOptions,
  backoff: Backoff,
): SideStream {
  const { clock, log } = options;
  const names = new Set<string>();
  /** Everything was asked for, by no name. */
  let everything = false;
  const versions = new Map<string, string>();
  const outages = createOutageLog(log, () => clock.nowMs());
  let call: AdsCall | undefined;
  /** Counts calls: an answer to an older one's response is no answer. */
  let calls = 0;
  let place = 0;
  let fault: string | undefined = 'not answered yet';
  let closed = false;
  let cancelReconnect = (): void => {};

  function open(): void {
    if (closed) return;
    const server = options.server(source.server);
    const target = server?.targets[place % server.targets.length];
    if (server === undefined || target === undefined)
      return lose(`there is no ${serverKey(source.server)} to ask`);
    const mine = ++calls;
    try {
      const events = {
        response: (response: ServerResponse) => {
          if (mine === calls) take(response, mine, target);
        },
        ended: (reason: string) => {
          if (mine === calls) lose(reason, target);
        },
      };
      const protocol = typeProtocols(typeUrl, source.api);
      call = openAdsCall(protocol, target, server.channel(), options.channelOptions, events);
    } catch (error) {
      return lose(error instanceof Error ? error.message : String(error), target);
    }
    call.send(
      clientRequest(typeUrl, {
        // Names alone would mean those alone (xDS, "How the client specifies what resources to return").
        subscribe: everything && names.size > 0 ? ['*', ...names] : [...names],
        initialVersions: Object.fromEntries(versions),
      }),
      options.node(),
    );
  }

  function take(response: ServerResponse, mine: number, target: string): void {
    outages.found(target);
    fault = undefined;
    backoff.reset();
    for (const { name, version } of response.resources) versions.set(name, version);
    for (const name of response.removed) versions.delete(name);
    options.response({ ...response, nonce: `${mine} ${response.nonce}`, last: undefined, source });
  }

  function lose(reason: string, target: string = serverKey(source.server)): void {
    if (closed) return;
    calls++;
    fault = reason;
    call?.abandon();
    call = undefined;
    place++;
    const delayMs = backoff.next();
    outages.lost(target, reason, delayMs);
    cancelReconnect = clock.setTimer(delayMs, open);
  }

  return {
    send(request: ClientRequest) {
      const isAnswer = request.nonce !== '';
      const [of, ...rest] = request.nonce.split(' ');
      if (isAnswer && Number(of) !== calls) return;
      // What was refused is not here, and not claimed on the next stream.
      if (request.error) {
        for (const { name } of request.error.refusals) versions.delete(name);
        if (request.error.refusals.length === 0) versions.clear();
      }
      for (const name of request.subscribe) names.add(name);
      for (const name of request.unsubscribe) {
        names.delete(name);
        versions.delete(name);
      }
      if (calls === 0) {
        everything = names.size === 0;
        for (const [name, version] of Object.entries(request.initialVersions)) versions.set(name, version);
        open();
      } else call?.send({ ...request, nonce: rest.join(' '), initialVersions: {} }, undefined);
    },
    close() {
      closed = true;
      cancelReconnect();
      call?.close();
      call = undefined;
    },
    get fault() {
      return fault;
    },
  };
}
