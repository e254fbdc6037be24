import type { StreamRecord } from '@tulle/telemetry';

/** What Envoy calls a line (`envoy.data.accesslog.v3.AccessLogType`), of those that there are here. */
export type LogType =
  | 'NotSet'
  | 'TcpConnectionStart'
  | 'TcpUpstreamConnected'
  | 'TcpPeriodic'
  | 'TcpConnectionEnd'
  | 'DownstreamStart'
  | 'DownstreamTunnelSuccessfullyEstablished'
  | 'DownstreamPeriodic'
  | 'DownstreamEnd';

type Moment = NonNullable<StreamRecord['moment']> | 'end';

const OF_TCP: Readonly<Record<Moment, LogType>> = {
  start: 'TcpConnectionStart',
  connected: 'TcpUpstreamConnected',
  tunnel: 'TcpUpstreamConnected',
  periodic: 'TcpPeriodic',
  end: 'TcpConnectionEnd',
};
const OF_HTTP: Readonly<Record<Moment, LogType>> = {
  start: 'DownstreamStart',
  connected: 'DownstreamTunnelSuccessfullyEstablished',
  tunnel: 'DownstreamTunnelSuccessfullyEstablished',
  periodic: 'DownstreamPeriodic',
  end: 'DownstreamEnd',
};

/** Which line a record is for: of a listener's own log none has a type. */
export function logTypeOf({
  kind,
  moment,
  ofListener,
}: Pick<StreamRecord, 'kind' | 'moment' | 'ofListener'>): LogType {
  if (ofListener === true) return 'NotSet';
  return (kind === 'http' ? OF_HTTP : OF_TCP)[moment ?? 'end'];
}
