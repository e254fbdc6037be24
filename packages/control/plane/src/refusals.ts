import { diagnostic, refOf, type Diagnostic, type Resource } from '@tulle/resources';

/** Of an apply as a whole, or of one resource of a source. */
export function tooMany(
  maxResources: number,
  resource?: Diagnostic['resource'],
  position?: Diagnostic['position'],
): Diagnostic {
  return diagnostic('TULLE0105', {
    message: `the control plane would hold more than ${maxResources} resources (maxResources)`,
    ...(resource === undefined ? {} : { resource, pointer: '/metadata/name' }),
    position,
  });
}

/** Each resource belongs to one owner (decision D16). */
export function ownedBy(resource: Resource, owner: string, position?: Diagnostic['position']): Diagnostic {
  const { kind, namespace, name } = refOf(resource);
  return diagnostic('TULLE0212', {
    message: `${kind} ${namespace}/${name} belongs to ${owner}`,
    hint: `change it in ${owner}, or remove it there first`,
    resource: refOf(resource),
    pointer: '/metadata/name',
    position,
  });
}
