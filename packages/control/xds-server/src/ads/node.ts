import type { BuildVersion, Extension, Locality, Node } from '@tulle/xds-proto/envoy/config/core/v3/base';
import type { NodeInfo } from '../provider.ts';

/** What a node says of itself, and what it proved. */
export function readNode(node: Node, identity: string | undefined): NodeInfo {
  const { userAgentName: name, userAgentVersionType: version } = node;
  const text =
    version.case === 'userAgentVersion'
      ? version.value
      : version.case === 'userAgentBuildVersion'
        ? versionText(version.value)
        : '';
  return {
    id: node.id,
    cluster: node.cluster,
    metadata: node.metadata ?? {},
    identity,
    ...(node.locality && localityOf(node.locality)),
    userAgent: text === '' ? name : `${name}/${text}`,
    extensions: node.extensions.map(extensionText),
  };
}

/** Without a region and a zone nothing is said. */
function localityOf({ region, zone, subZone }: Locality): Pick<NodeInfo, 'locality'> {
  if (region === '' && zone === '') return {};
  return {
    locality: { region, ...(zone === '' ? {} : { zone }), ...(subZone === '' ? {} : { subZone }) },
  };
}

function extensionText({ name, version }: Extension): string {
  const text = version && versionText(version);
  return text === undefined || text === '' ? name : `${name}@${text}`;
}

/** Envoy's number of three parts loses what npm versions may have after it, so the whole text comes along. */
function versionText({ version, metadata }: BuildVersion): string {
  const whole = metadata?.['version'];
  if (typeof whole === 'string') return whole;
  return version ? `${version.majorNumber}.${version.minorNumber}.${version.patch}` : '';
}

/**
 * Whether a node id agrees with the proven SPIFFE id (decision D14): it is that id, alone or followed by `~` and the
 * name of the instance.
 */
export function nodeIdAgrees(nodeId: string, spiffeId: string): boolean {
  return nodeId === spiffeId || nodeId.startsWith(`${spiffeId}~`);
}
