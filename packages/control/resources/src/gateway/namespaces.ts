import { NAMESPACE_NAME_LABEL, type AllowedNamespaces, type NamespaceSelector } from '../kinds/gateway.ts';

/** Labels by which a selector asks and that Tulle knows of no namespace: such a selector selects none, whatever its operators. */
export function unknownLabels({
  matchLabels = {},
  matchExpressions = [],
}: NamespaceSelector): readonly string[] {
  const keys = [...Object.keys(matchLabels), ...matchExpressions.map(({ key }) => key)];
  return [...new Set(keys)].filter((key) => key !== NAMESPACE_NAME_LABEL);
}

/** Whether something of namespace `from` may attach to what is of namespace `own`. */
export function allowsNamespace(
  { from: which = 'Same', selector }: AllowedNamespaces,
  own: string,
  from: string,
): boolean {
  switch (which) {
    case 'All':
      return true;
    case 'Same':
      return own === from;
    case 'None':
      return false;
    case 'Selector':
      return selects(selector ?? {}, from);
  }
}

/** Of a namespace its name alone is known, which every one has. */
function selects(selector: NamespaceSelector, name: string): boolean {
  if (unknownLabels(selector).length > 0) return false;
  const wanted = selector.matchLabels?.[NAMESPACE_NAME_LABEL];
  if (wanted !== undefined && wanted !== name) return false;
  return (selector.matchExpressions ?? []).every(({ operator, values = [] }) => {
    switch (operator) {
      case 'In':
        return values.includes(name);
      case 'NotIn':
        return !values.includes(name);
      case 'Exists':
        return true;
      case 'DoesNotExist':
        return false;
    }
  });
}
