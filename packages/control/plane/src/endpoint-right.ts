import { namedAccounts, type Service, type Workload } from '@tulle/resources';

/** Whether an identity may claim these labels; the CA's grants say so. */
export type MayClaim = (serviceAccount: string, labels: Readonly<Record<string, string>>) => boolean;

/** A Workload that a Service's selector picks and that the Service does not take (docs/decisions/007). */
export interface LeftOut {
  /** `namespace/name` of the Workload. */
  readonly workload: string;
  /** `namespace/name`. */
  readonly serviceAccount: string;
  readonly reason: string;
}

/** `namespace/name` of the account that a joined Workload's certificate proves. */
export function accountOf({ metadata, spec }: Workload): string {
  return `${metadata.namespace}/${spec.serviceAccount ?? ''}`;
}

/**
 * Why a Workload that joined is no endpoint of a Service whose selector picks it; `undefined`: it is one. Its labels are
 * what it says of itself, its service account is what its certificate proves.
 */
export function whyNotTaken(service: Service, workload: Workload, mayClaim: MayClaim): string | undefined {
  const account = accountOf(workload);
  const { namespace, name } = service.metadata;
  const named = namedAccounts(service);
  if (named !== undefined)
    return named.accounts.includes(account)
      ? undefined
      : `${account} is not among those that the annotation tulle.dev/service-accounts names`;
  if (account === `${namespace}/${name}`) return undefined;
  const selector = service.spec.selector ?? {};
  if (mayClaim(account, selector)) return undefined;
  const labels = Object.entries(selector).map(([label, value]) => `${label}=${value}`);
  return `no join token granted ${account} ${labels.join(', ')}, and the Service names no service accounts`;
}
