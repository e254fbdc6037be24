import { unknownLabels, type AllowedNamespaces } from '@tulle/resources';
import type { Condition } from '../condition.ts';

/** That a selector asks for labels which Tulle does not know of namespaces, and so selects none; nothing where it does not. */
export function namespaceLabelsKnown({ from, selector }: AllowedNamespaces = {}): Condition[] {
  const unknown = from === 'Selector' ? unknownLabels(selector ?? {}) : [];
  if (unknown.length === 0) return [];
  return [
    {
      type: 'tulle.dev/NamespaceLabelsKnown',
      status: 'False',
      reason: 'UnsupportedValue',
      message: `no namespace is selected by ${unknown.join(', ')}: of namespaces the label kubernetes.io/metadata.name alone is known`,
    },
  ];
}
