import { sql, type SQL, type SQLWrapper } from 'drizzle-orm';

/** Whether a text has `part` in it, whatever its case (ASCII); a text that is not there has nothing in it. */
export const contains = (text: SQLWrapper, part: string): SQL =>
  sql`coalesce(${text} LIKE ${`%${part.replaceAll(/[\\%_]/g, String.raw`\$&`)}%`} ESCAPE '\\', 0)`;
