import {
  type ChannelCredentials,
  type ChannelOptions,
  Client,
  type ClientDuplexStream,
  type ServiceError,
} from '@grpc/grpc-js';
import type { Node } from '@tulle/xds-proto/envoy/config/core/v3/base';
import type { ClientRequest, ServerResponse } from '../session/messages.ts';
import type { ClientProtocol } from './protocol.ts';

/** How to reach a control plane: what `meshChannel` of `@tulle/ca` returns, or plain credentials. */
export interface Channel {
  readonly credentials: ChannelCredentials;
  /** Merged over the client's own. */
  readonly options?: ChannelOptions;
  /** Told when the server that was proven is believed no more: the call ends, and another one is made. */
  onUntrusted?(listener: () => void): void;
  /** Called when the channel is no longer used. */
  close?(): void;
}

/** What happens on a call. */
export interface AdsCallEvents {
  response(message: ServerResponse): void;
  /** Once. @param reason why, in the transport's words */
  ended(reason: string): void;
}

/** One ADS call over a channel of its own. */
export interface AdsCall {
  send(request: ClientRequest, node: Node | undefined): void;
  /** Half-closes, then closes the channel when the server has answered, or after 1 s. {@link AdsCallEvents.ended} is not called any more. */
  close(): void;
  /**
   * For another call, to the same server or another one: from now on nothing is read and nothing told. The server is told
   * late, since to it the end of a call by its client is the client's leave.
   */
  abandon(): void;
}

/** For the server to end its side. */
const FAREWELL_MS = 1_000;
/** For the next call to have taken this one's place. */
const SUCCESSION_MS = 5_000;

export function openAdsCall<Request, Response>(
  protocol: ClientProtocol<Request, Response>,
  target: string,
  channel: Channel,
  options: ChannelOptions,
  events: AdsCallEvents,
): AdsCall {
  const { path, requestSerialize, responseDeserialize } = protocol.method;
  const client = new Client(target, channel.credentials, { ...options, ...channel.options });
  const stream: ClientDuplexStream<Request, Response> = client.makeBidiStreamRequest(
    path,
    requestSerialize,
    responseDeserialize,
  );
  let over = false;

  function end(reason: string | undefined): void {
    if (over) return;
    over = true;
    client.close();
    channel.close?.();
    if (reason !== undefined) events.ended(reason);
  }

  function abandon(): void {
    if (over) return;
    end(undefined);
    setTimeout(() => stream.cancel(), SUCCESSION_MS).unref();
  }

  channel.onUntrusted?.(() => {
    if (over) return;
    abandon();
    events.ended('the root of the control plane is not believed any more');
  });
  stream.on('data', (message: Response) => {
    if (!over) events.response(protocol.read(message));
  });
  stream.on('error', (error: ServiceError) =>
    end(`${plain(error.details || error.message)} (status ${error.code})`),
  );
  stream.on('end', () => end('The control plane ended the stream.'));
  return {
    send(request, node) {
      const message = over ? undefined : protocol.write(request, node);
      if (message !== undefined) stream.write(message);
    },
    close() {
      if (over) return;
      over = true;
      // A cancel would overtake the end of the stream, and the server take the client for lost.
      const timer = setTimeout(() => stream.cancel(), FAREWELL_MS).unref();
      stream.once('status', () => {
        clearTimeout(timer);
        client.close();
        channel.close?.();
      });
      stream.end();
    },
    abandon,
  };
}

/** What grpc-js wraps around the one reason that says something. */
function plain(details: string): string {
  return details
    .replace(/^No connection established\. Last error: (?:Error: )?/, '')
    .replace(/\.? Resolution note: ?$/, '');
}
