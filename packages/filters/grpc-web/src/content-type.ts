/** No call of gRPC-Web. */
export const OTHER = 0;
/** `application/grpc-web`: frames as they are. */
export const BINARY = 1;
/** `application/grpc-web-text`: the same in base64. */
export const TEXT = 2;
export type Form = typeof OTHER | typeof BINARY | typeof TEXT;

const GRPC = 'application/grpc';
const WEB = `${GRPC}-web`;
const WEB_TEXT = `${WEB}-text`;

/** Which form of gRPC-Web a content type names. */
export function formOf(type: string | undefined): Form {
  if (type === undefined || !type.startsWith(WEB)) return OTHER;
  if (type.startsWith(WEB_TEXT)) return endsAt(type, WEB_TEXT.length) ? TEXT : OTHER;
  return endsAt(type, WEB.length) ? BINARY : OTHER;
}

/** Whether a content type is gRPC's own. */
export function isGrpc(type: string | undefined): type is string {
  return type !== undefined && type.startsWith(GRPC) && endsAt(type, GRPC.length);
}

/** gRPC's content type for one of gRPC-Web: format and parameters stay. */
export function toGrpc(type: string, form: Form): string {
  return GRPC + type.slice((form === TEXT ? WEB_TEXT : WEB).length);
}

/** The other way. */
export function toWeb(type: string, form: Form): string {
  return (form === TEXT ? WEB_TEXT : WEB) + type.slice(GRPC.length);
}

/** Whether nothing but a format (`+proto`) or parameters come behind. */
function endsAt(type: string, length: number): boolean {
  const next = type.charCodeAt(length);
  return type.length === length || next === 0x2b || next === 0x3b || next === 0x20;
}
