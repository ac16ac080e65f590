import * as z from 'zod/mini';
import { FORMATS } from '$lib/facts/file-format';
import { formatOf } from '$lib/fleet-files/read-fleet-file';
import type { KeyFor } from '$lib/fleet-admin/import-entries';
import { anyText, oneOf, tickBox } from '$lib/parsing/fields';
import { readFileText, readPastedText, type FileText } from '$lib/parsing/file-text';

export const ImportForm = z.object({
  text: z._default(z.string(), ''),
  format: z._default(oneOf(['auto', ...FORMATS]), 'auto'),
  mode: z._default(oneOf(['all', 'good']), 'all'),
  customer: anyText,
  user: anyText,
  port: anyText,
  service: anyText,
  labels: anyText,
  privateKey: z._default(z.string(), ''),
  sharedKey: tickBox,
});
type Given = z.output<typeof ImportForm>;

const filesOf = (form: FormData, name: string): File[] =>
  form.getAll(name).filter((one): one is File => typeof one !== 'string' && one.size > 0);

/** What is to be read: the file where one was chosen, else what was pasted. */
export async function sourceOf(form: FormData, { text, format }: Given) {
  const [file] = filesOf(form, 'file');
  const read: FileText = file ? readFileText(new Uint8Array(await file.arrayBuffer())) : readPastedText(text);
  if ('problem' in read)
    return { problem: file || text.trim() !== '' ? read.problem : 'paste what is to be imported, or choose a file' };
  return { text: read.text, format: format === 'auto' ? formatOf(read.text, file?.name) : format };
}

const LONGEST_KEY = 64 * 1024;
const nameOf = (path: string): string => path.replace(/^.*[\\/]/, '');

/**
 * The keys that came with the form: one for all, or files that are known by their names. The paths in a fleet's file are
 * those of another machine: nothing is read from this one.
 */
export async function keysOf(form: FormData, { privateKey, sharedKey }: Given): Promise<KeyFor> {
  if (sharedKey) return () => ({ text: null });
  if (privateKey.trim() !== '') return () => ({ text: privateKey });
  const keys = new Map<string, string>();
  for (const file of filesOf(form, 'keys'))
    if (file.size <= LONGEST_KEY) keys.set(nameOf(file.name), await file.text());
  const [only, ...others] = keys.values();
  return (keyFile) => {
    if (keyFile === undefined)
      return only !== undefined && others.length === 0
        ? { text: only }
        : { problem: 'no key is named; paste one for all' };
    const text = keys.get(nameOf(keyFile));
    return text === undefined
      ? {
          problem: `the key ${nameOf(keyFile).slice(0, 80)} did not come with the form; choose it below, or paste one for all`,
        }
      : { text };
  };
}
