import type { Difference } from '../compare.ts';
import { abortOf, asked, told } from '../expected.ts';
import type { Pair } from './pair.ts';

/**
 * Explanation `aborts-by-status`: where an abort is due by the filter in force and both make it, Tulle answers as HTTP does.
 * A status of gRPC, or one of success, is all that differs.
 */
export function explainsAbort(
  { aspect, envoy, tulle }: Difference,
  { configuration, exchange, observations }: Pair,
): boolean {
  if (exchange === undefined || observations === undefined) return false;
  if (!JSON.stringify(configuration.httpFilters ?? '').includes('filters.http.fault')) return false;
  const abort = abortOf(configuration, exchange);
  if (abort === undefined || observations.envoy.seen.length + observations.tulle.seen.length > 0)
    return false;
  const { status, byGrpc } = abort;
  if (observations.tulle.reply.status !== status) return false;
  const grpc = told(observations.envoy, 'grpc-status');
  // Of who does not speak it Envoy takes a status of gRPC for one of success.
  if (byGrpc && grpc === undefined && aspect === 'reply.status') return envoy === '200';
  // Envoy answers so who says that it speaks gRPC, by whichever method and version.
  if (grpc !== undefined && (byGrpc || asked(exchange, 'content-type').startsWith('application/grpc')))
    switch (aspect) {
      case 'reply.status':
        return envoy === '200';
      case 'reply.header.content-type':
        return (
          envoy === 'application/grpc' && tulle === (status < 300 ? '(none)' : 'text/plain; charset=utf-8')
        );
      case 'reply.header.grpc-status':
        return tulle === '(none)' && envoy === grpc;
      case 'reply.header.grpc-message':
        return tulle === '(none)' && envoy === 'fault filter abort';
      default:
    }
  if (status !== 200) return false;
  switch (aspect) {
    case 'reply.body':
      return envoy === 'fault filter abort' && tulle === '';
    case 'reply.header.content-length':
      return envoy === '18' && tulle === '0';
    case 'reply.header.content-type':
      return tulle === '(none)';
    default:
      return false;
  }
}
