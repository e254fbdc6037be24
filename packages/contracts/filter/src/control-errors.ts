import { row, type ErrorRow } from './error-row.ts';

/** Codes of the control plane's API, the CA, and identities. */
export type ControlErrorCode =
  | 'TULLE_API_HOST'
  | 'TULLE_API_ORIGIN'
  | 'TULLE_API_SECRET'
  | 'TULLE_API_TYPE'
  | 'TULLE_API_BODY'
  | 'TULLE_API_QUERY'
  | 'TULLE_API_MISMATCH'
  | 'TULLE_API_NOT_FOUND'
  | 'TULLE_API_NOT_READY'
  | 'TULLE_API_ERROR'
  | 'TULLE_API_CHANGED'
  | 'TULLE_CA_REFUSED'
  | 'TULLE_CA_JOIN_REFUSED'
  | 'TULLE_CA_SERVER_REFUSED'
  | 'TULLE_CA_STORE'
  | 'TULLE_SPIFFE_BAD_ID'
  | 'TULLE_SPIFFE_BAD_DER'
  | 'TULLE_SIDECAR_NO_IDENTITY'
  | 'TULLE_SIDECAR_CAPTURE_UNAVAILABLE'
  | 'TULLE_SIDECAR_PORT_TAKEN'
  | 'TULLE_DIRECTORY_IN_USE'
  | 'TULLE_XDS_NACKED'
  | 'TULLE_XDS_NOT_ACKED'
  | 'TULLE_ENVOY_BOOTSTRAP';

const api = (reason: number, http: number, grpc: number, details: string, hint: string): ErrorRow =>
  row(reason, http, grpc, '-', details, http >= 500 ? 'internal' : 'downstream', false, hint);
const identity = (
  reason: number,
  grpc: number,
  details: string,
  retryable: boolean,
  hint: string,
): ErrorRow => row(reason, 0, grpc, '-', details, 'config', retryable, hint);

/** Rows of the control plane's API, the CA, and identities. */
export const CONTROL_ERRORS: Readonly<Record<ControlErrorCode, ErrorRow>> = {
  TULLE_API_HOST: api(
    100,
    403,
    7,
    'api_host',
    'The API is served under localhost only; a foreign Host may be a rebound name.',
  ),
  TULLE_API_ORIGIN: api(
    101,
    403,
    7,
    'api_origin',
    'A page of another site called the API. Only pages of its own and programs may.',
  ),
  TULLE_API_SECRET: api(
    102,
    401,
    16,
    'api_secret',
    'The call showed no secret, or another one. It stands in control-plane.json, which only its user can read.',
  ),
  TULLE_API_TYPE: api(
    103,
    415,
    3,
    'api_type',
    'Bodies are application/json or application/yaml; say which one it is.',
  ),
  TULLE_API_BODY: api(
    104,
    400,
    3,
    'api_body',
    'The body is not what this call takes; the detail says what is wrong with it.',
  ),
  TULLE_API_QUERY: api(
    105,
    400,
    3,
    'api_query',
    'A query parameter is unknown or has a value that it cannot have.',
  ),
  TULLE_API_MISMATCH: api(
    106,
    400,
    3,
    'api_mismatch',
    'The path and the resource in the body must name the same thing.',
  ),
  TULLE_API_NOT_FOUND: api(
    107,
    404,
    5,
    'api_not_found',
    'There is no such path, resource, proxy or change at this control plane.',
  ),
  TULLE_API_NOT_READY: api(
    108,
    503,
    14,
    'api_not_ready',
    'The control plane has not read all its sources yet. Ask again in a moment.',
  ),
  TULLE_API_ERROR: api(
    109,
    500,
    13,
    'api_error',
    'The call failed inside the control plane. Its log has the reason; please report it.',
  ),
  TULLE_API_CHANGED: api(
    110,
    412,
    9,
    'api_changed',
    'A resource has another version than the one that the call was made for. Nothing was applied; read it again and decide anew.',
  ),
  TULLE_CA_REFUSED: identity(
    120,
    7,
    'ca_refused',
    false,
    'The CA does not issue what was asked for: a request beyond what was attested, a reserved identity, a rotation under way. The message says which.',
  ),
  TULLE_CA_JOIN_REFUSED: identity(
    121,
    16,
    'ca_join_refused',
    false,
    'The CA will not issue without another join token. Make one with `tulle token create`.',
  ),
  TULLE_CA_SERVER_REFUSED: identity(
    122,
    14,
    'ca_server_refused',
    true,
    'Who answered is not the CA that the join token names, or its certificate cannot be verified.',
  ),
  TULLE_CA_STORE: identity(
    123,
    9,
    'ca_store',
    false,
    'Keys or state on disk cannot be used as they are. The message names the file and what helps.',
  ),
  TULLE_SPIFFE_BAD_ID: identity(
    130,
    3,
    'spiffe_bad_id',
    false,
    'This is no SPIFFE id; one reads spiffe://<trust domain>/ns/<namespace>/sa/<service account>.',
  ),
  TULLE_SPIFFE_BAD_DER: identity(
    131,
    3,
    'spiffe_bad_der',
    false,
    'A certificate or key is not valid DER. Was the file cut off?',
  ),
  TULLE_SIDECAR_NO_IDENTITY: identity(
    132,
    14,
    'sidecar_no_identity',
    true,
    'The sidecar could not get an identity in time. Is the control plane reachable, and the join token unused?',
  ),
  TULLE_SIDECAR_CAPTURE_UNAVAILABLE: identity(
    138,
    9,
    'sidecar_capture_unavailable',
    false,
    'Connections cannot be captured on this machine: it lacks what the message names (Linux, root, nft, koffi or cgroup v2). Leave --capture out, and give explicit ports with --upstream?',
  ),
  TULLE_SIDECAR_PORT_TAKEN: identity(
    133,
    9,
    'sidecar_port_taken',
    false,
    'Another process listens on a port of the sidecar. Stop it, or choose another port; 0 lets the system choose.',
  ),
  TULLE_DIRECTORY_IN_USE: identity(
    134,
    9,
    'directory_in_use',
    false,
    'Another process has the directory. Stop it, or give this one a directory of its own.',
  ),
  TULLE_XDS_NACKED: identity(
    135,
    9,
    'xds_nacked',
    false,
    'An xDS client refused what was put for it, and keeps what it had. Its reason is in the message.',
  ),
  TULLE_XDS_NOT_ACKED: identity(
    136,
    4,
    'xds_not_acked',
    true,
    'An xDS client has not taken what was put for it in time. The message says what is missing: a stream, a set, or answers.',
  ),
  TULLE_ENVOY_BOOTSTRAP: identity(
    137,
    3,
    'envoy_bootstrap',
    false,
    'An Envoy bootstrap cannot be used. Each issue names the line, the column and the path of a field, and what would be right.',
  ),
};
