import type { Area } from '../configuration.ts';
import { headerEdits } from './header-edits.ts';
import { matching } from './matching.ts';
import { redirects } from './redirects.ts';
import { rewriting } from './rewriting.ts';
import { weights } from './weights.ts';

/** Every area, in the order in which they run. */
export const AREAS: readonly Area[] = [matching, rewriting, redirects, weights, headerEdits];
