import type { Gateway } from '@tulle/resources';
import type { Condition } from '../condition.ts';

/**
 * That callers who prove nothing are let in, by default or at some ports; nothing where they are not, as soon as that is so
 * (Gateway API `GatewayConditionInsecureFrontendValidationMode`).
 */
export function insecureFrontend({ spec }: Gateway): Condition[] {
  const { frontend } = spec.tls ?? {};
  const mode = 'AllowInsecureFallback';
  const ports = (frontend?.perPort ?? []).flatMap(({ port, tls }) =>
    tls.validation?.mode === mode ? [`port ${port}`] : [],
  );
  const where = [...(frontend?.default?.validation?.mode === mode ? ['default'] : []), ...ports];
  if (where.length === 0) return [];
  return [
    {
      type: 'InsecureFrontendValidationMode',
      status: 'True',
      reason: 'ConfigurationChanged',
      message: `callers whose certificates cannot be believed, or who have none, are served by ${mode} (spec.tls.frontend: ${where.join(', ')})`,
    },
  ];
}
