import { findInvalidName, findInvalidValue } from '@tulle/fields';
import { CompileContext, compileCidrs } from '@tulle/match';
import type { CallerDetection, Forwarding, HttpHandler } from '@tulle/model';
import type { CompiledDetection, CompiledForwarding } from './compiled.ts';
import type { Issues } from './issues.ts';

/** @param path JSON pointer of the handler's chain */
export function compileForwarding(
  { forwarding, identityHeaders, trustedForwarders }: HttpHandler,
  path: string,
  issues: Issues,
): CompiledForwarding | undefined {
  if (forwarding === undefined) return undefined;
  const at = `${path}/handler/forwarding`;
  if (identityHeaders !== undefined || trustedForwarders !== undefined)
    issues.add(at, 'stands beside identityHeaders or trustedForwarders; give one or the other');
  const context = new CompileContext();
  const { internalCidrs } = forwarding;
  const internal =
    internalCidrs === undefined ? undefined : compileCidrs(internalCidrs, context, `${at}/internalCidrs`);
  const detection = compileDetection(forwarding.detection, context, `${at}/detection`, issues);
  for (const issue of context.issues) issues.add(issue.path, issue.message);
  if (
    detection.places !== undefined &&
    (forwarding.client === 'peer' || forwarding.trustedHops !== undefined)
  )
    issues.add(`${at}/detection`, 'stands beside client: peer or trustedHops; give one or the other');
  return {
    client: forwarding.client,
    trustedHops: forwarding.trustedHops ?? 0,
    append: forwarding.append ?? true,
    port: forwarding.port ?? false,
    clientCertificate: forwarding.clientCertificate ?? 'sanitize',
    certificateParts: forwarding.certificateParts ?? [],
    internal,
    scheme: forwarding.scheme,
    node: checkNode(forwarding.node, `${at}/node`, issues),
    detection: detection.places,
    refuseStatus: detection.refuseStatus,
  };
}

function compileDetection(
  detection: readonly CallerDetection[] | undefined,
  context: CompileContext,
  path: string,
  issues: Issues,
): { readonly places: readonly CompiledDetection[] | undefined; readonly refuseStatus: number } {
  if (detection === undefined) return { places: undefined, refuseStatus: 0 };
  const places = detection.map((one, index): CompiledDetection => {
    if (one.kind === 'header') {
      if (findInvalidName(one.name) >= 0)
        issues.add(`${path}/${index}/name`, `${JSON.stringify(one.name)} is no field name (RFC 9110 §5.6.2)`);
      return { kind: 'header', name: one.name, internal: one.internal ?? false };
    }
    const { trustedHops = 0, trustedCidrs, append = false } = one;
    const trusted = trustedCidrs && compileCidrs(trustedCidrs, context, `${path}/${index}/trustedCidrs`);
    return { kind: 'forwarded-for', trustedHops, trusted, append };
  });
  const refusing = detection.findIndex((one) => one.kind === 'header' && one.refuseStatus !== undefined);
  if (refusing < 0) return { places, refuseStatus: 0 };
  const last = detection[refusing];
  return {
    places: places.slice(0, refusing + 1),
    refuseStatus: last?.kind === 'header' ? (last.refuseStatus ?? 0) : 0,
  };
}

function checkNode(node: Forwarding['node'], path: string, issues: Issues): Forwarding['node'] {
  for (const part of ['cluster', 'id'] as const)
    if (node !== undefined && findInvalidValue(node[part]) >= 0)
      issues.add(
        `${path}/${part}`,
        `${JSON.stringify(node[part])} has a character that no field value may have (RFC 9110 §5.5)`,
      );
  return node;
}
