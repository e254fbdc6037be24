import { TulleError } from '@tulle/filter';
import type { Node } from '@tulle/xds-proto/envoy/config/core/v3/base';
import { type EncodeForm, OLDER_OWN_FORM, OWN_FORM, type WorkloadCertificate } from '../encode/form.ts';
import { readClientTelemetry } from './read-client-telemetry.ts';
import { createResourceEncoder, type ResourceEncoder } from '../encode/resource.ts';
import { ATOMIC_CHANGES, TULLE_MODEL } from '../wire.ts';
import { type Comparer, createComparer } from './differences.ts';

/** Key of `Node.metadata` under which a client that is not Tulle's says where its certificate is. */
const CERTIFICATE_KEY = 'certificate';

/** `asked` there: nothing is sent again but where a route says so. */
const RETRIES_KEY = 'retries';

/** Whether a client is Tulle's data plane, which checks endpoints by their own ids and has its certificate from its own CA client. */
export function isOwnClient({ clientFeatures }: Node): boolean {
  return clientFeatures.includes(ATOMIC_CHANGES) || clientFeatures.includes(TULLE_MODEL);
}

/** Whether a client is a program with gRPC's own xDS, whatever its language: all of them call themselves so. */
export function isGrpcClient({ userAgentName }: Node): boolean {
  return userAgentName.startsWith('gRPC ');
}

/**
 * In which form a client reads resources. Any but Tulle's says in its metadata where the certificate of its workload is:
 * `certificate: { sdsCluster }`, a cluster of its bootstrap at which a local agent serves the secret `default` (with `roots: true`
 * `ROOTCA` too, which else comes from here), or
 * `certificate: { certificateFile, keyFile }`. Keys never come from here (decision D14). It may ask for an access log and for
 * traces (`telemetry`, as {@link ClientTelemetry} has it), which Tulle's has flags for.
 * @throws TulleError `TULLE_CONFIG_INVALID` when it says something else
 */
export function formOf(node: Node): EncodeForm {
  if (isOwnClient(node)) return node.clientFeatures.includes(TULLE_MODEL) ? OWN_FORM : OLDER_OWN_FORM;
  const given: unknown = node.metadata?.[CERTIFICATE_KEY];
  const telemetry = readClientTelemetry(node);
  const form = (workloadCertificate: WorkloadCertificate): EncodeForm => ({
    workloadCertificate,
    release: 'this',
    ...(node.metadata?.[RETRIES_KEY] === 'asked' ? {} : { retries: 'default' }),
    ...(telemetry && { telemetry }),
  });
  if (isGrpcClient(node)) return grpcForm(node, given);
  if (given === undefined) return form({ kind: 'none' });
  const texts = new Map(
    typeof given === 'object' && given !== null
      ? Object.entries(given).filter((entry): entry is [string, string] => isName(entry[1]))
      : [],
  );
  const [cluster, certificateFile, keyFile] = ['sdsCluster', 'certificateFile', 'keyFile'].map((key) =>
    texts.get(key),
  );
  const size = typeof given === 'object' && given !== null ? Object.keys(given).length : 0;
  const roots = typeof given === 'object' && given !== null && 'roots' in given ? given.roots : undefined;
  if (cluster !== undefined && (size === 1 || (size === 2 && typeof roots === 'boolean')))
    return form({ kind: 'sds', cluster, roots: roots === true });
  if (certificateFile !== undefined && keyFile !== undefined && size === 2)
    return form({ kind: 'files', certificateFile, keyFile });
  throw new TulleError(
    'TULLE_CONFIG_INVALID',
    `node ${node.id}: metadata/${CERTIFICATE_KEY} must be { sdsCluster, roots } or { certificateFile, keyFile }, not ${JSON.stringify(given).slice(0, 200)}`,
    {
      issues: [
        {
          path: `/${CERTIFICATE_KEY}`,
          message: 'must be { sdsCluster, roots } or { certificateFile, keyFile }',
        },
      ],
    },
  );
}

/** Its certificate is where its bootstrap says: an instance of a certificate provider, `certificate: { provider: NAME }`. */
function grpcForm(node: Node, given: unknown): EncodeForm {
  const form = (workloadCertificate: WorkloadCertificate): EncodeForm => ({
    seat: 'grpc',
    workloadCertificate,
    release: 'this',
  });
  if (given === undefined) return form({ kind: 'none' });
  if (typeof given === 'object' && given !== null && 'provider' in given && isName(given.provider))
    return form({ kind: 'provider', name: given.provider });
  throw new TulleError(
    'TULLE_CONFIG_INVALID',
    `node ${node.id}: metadata/${CERTIFICATE_KEY} of a gRPC program must be { provider }, an instance of certificate_providers in its bootstrap, not ${JSON.stringify(given).slice(0, 200)}`,
    { issues: [{ path: `/${CERTIFICATE_KEY}`, message: 'must be { provider }' }] },
  );
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= 1024;
}

/** Comparers by form, so that clients that read the same share what was serialised. */
export interface FormComparers {
  of(form: EncodeForm): Comparer;
  encoded(): number;
}

/** Forms other than Tulle's that are kept for further clients: clients choose them, so there is a bound. */
const MAX_SHARED_FORMS = 32;

export function createFormComparers(maxResourceBytes: number): FormComparers {
  const shared = new Map<string, Comparer>();
  const encoders: ResourceEncoder[] = [];
  return {
    of(form) {
      const key = JSON.stringify(form);
      const known = shared.get(key);
      if (known) return known;
      const encoder = createResourceEncoder(form);
      const comparer = createComparer(encoder, maxResourceBytes);
      if (shared.size <= MAX_SHARED_FORMS) {
        shared.set(key, comparer);
        encoders.push(encoder);
      }
      return comparer;
    },
    encoded: () => encoders.reduce((sum, encoder) => sum + encoder.encoded(), 0),
  };
}
