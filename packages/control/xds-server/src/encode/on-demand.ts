import type { ForwardAction, HttpHandler, RouteConfig } from '@tulle/model';

/**
 * A server of the model knows all that its clients may ask for, and has no words for what is looked for on demand.
 * @throws Error where a resource would have it
 */
export function refuseOnDemand(
  part: Pick<HttpHandler, 'onDemand'> | Pick<ForwardAction, 'onDemand'> | Pick<RouteConfig, 'discoversHosts'>,
): void {
  if ('onDemand' in part && part.onDemand !== undefined)
    throw new Error('onDemand is not sent: this control plane has nothing that is looked for on demand');
  if ('discoversHosts' in part && part.discoversHosts === true)
    throw new Error(
      'discoversHosts is not sent: this control plane sends routes with all their virtual hosts',
    );
}
