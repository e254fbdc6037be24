import { SERVICE_NAME_LABEL, type EndpointSlice, type Resource } from '@tulle/resources';

/** `namespace/name` of the Service that a slice is of. */
export function serviceOf({ metadata }: EndpointSlice): string {
  return `${metadata.namespace}/${metadata.labels?.[SERVICE_NAME_LABEL] ?? ''}`;
}

/** `namespace/name` of the Workloads that a slice leads to. */
export function workloadsIn({ metadata, endpoints }: EndpointSlice): string[] {
  return endpoints.flatMap(({ targetRef }) =>
    targetRef?.kind === 'Workload' && targetRef.name !== undefined
      ? [`${targetRef.namespace ?? metadata.namespace}/${targetRef.name}`]
      : [],
  );
}

/** Whether a resource says where calls go: what changes there never waits. */
export function isEndpoints({ kind }: Resource): boolean {
  return kind === 'Workload' || kind === 'EndpointSlice';
}
