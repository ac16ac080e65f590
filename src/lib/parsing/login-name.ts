import { textLike } from './fields.ts';

/** The name of an account on a VPS. */
export const loginName = textLike(/^[a-z_][a-z0-9_.-]{0,31}\$?$/i, 'a login name such as root or deploy');
