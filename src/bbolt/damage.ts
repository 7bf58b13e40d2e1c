// The one error of this folder: a file that is not a sound bbolt database.

import { EtcdkeepError, type Position } from '../base/errors.ts';

/** `database-damaged`, with where it was seen. */
export function databaseDamaged(
  message: string,
  where: Pick<Position, 'page' | 'offset' | 'revision'> = {},
): EtcdkeepError {
  return new EtcdkeepError('database-damaged', message, where);
}
