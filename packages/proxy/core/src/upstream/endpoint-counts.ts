/** What is counted of one endpoint for its operator (Envoy's statistics of hosts), all of its connections together; only grows but for `dialled`. */
export class EndpointCounts {
  /** Connections that were begun. */
  opened = 0;
  /** Of them those that could not be opened. */
  connectFailures = 0;
  /** Requests that went to it, and connections of bytes. */
  sent = 0;
  /** Requests, or attempts, that it did not answer in time. */
  timeouts = 0;
  /** Connections of bytes that it served well. */
  carried = 0;
  /** Connections of bytes that it did not serve well, be it that they could not be opened. */
  uncarried = 0;
  /** Connections of bytes, open or connecting. */
  dialled = 0;
}
