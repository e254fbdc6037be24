/**
 * A stream as those see it who only pass it on: the sides, the doors, what the rooms share. They take streams by this
 * name, so that the stream's own file can name them without a circle; there is one class of streams behind it.
 */
export interface StreamRef {
  readonly live: boolean;
  readonly generation: number;
}
