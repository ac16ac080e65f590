import { fleetOf, type VarsFile } from './ansible-fleet.ts';
import { readIniInventory } from './ansible-ini.ts';
import { readYamlInventory } from './ansible-yaml.ts';
import type { FileFormat } from '../facts/file-format.ts';
import { readCsv } from './csv-fleet.ts';
import type { FleetFile } from './fleet-entry.ts';
import { readList } from './json-fleet.ts';
import { readSshConfig } from './ssh-config-fleet.ts';

/** Which format a text has, by the name of its file where that says it, and by how it begins. */
export function formatOf(text: string, fileName = ''): FileFormat {
  const [, ending = ''] = /\.([a-z]{2,5})$/i.exec(fileName) ?? [];
  const byName: Readonly<Record<string, FileFormat>> = {
    csv: 'csv',
    tsv: 'csv',
    json: 'json',
    ini: 'ansible-ini',
    yml: 'ansible-yaml',
    yaml: 'ansible-yaml',
  };
  const named = Object.hasOwn(byName, ending.toLowerCase()) ? byName[ending.toLowerCase()] : undefined;
  if (named !== undefined) return named;
  const lines = text.split('\n', 2_000).map((line) => line.trim());
  const first = lines.find((line) => line !== '' && !line.startsWith('#') && !line.startsWith(';')) ?? '';
  if (lines.some((line) => /^(?:host|match)[ \t=]/i.test(line) && !/[,;]/.test(line))) return 'ssh-config';
  if (/^(?:\{|\[\s*(?:\{|\]|$))/.test(first)) return 'json';
  if (first.startsWith('[') || lines.some((line) => line.includes('ansible_') && /\s[a-z_]+=/.test(line)))
    return 'ansible-ini';
  if (/^(?:---|[a-z_][\w.-]*:(?:\s|$))/i.test(first)) return 'ansible-yaml';
  return /[,;\t]/.test(first) ? 'csv' : 'ansible-ini';
}

export type FileToRead = {
  readonly text: string;
  readonly format: FileFormat;
  /** What Ansible keeps beside its inventory. */
  readonly varsFiles?: readonly VarsFile[];
};

/** What a file says of a fleet, whole, or everything that is wrong with it. Touches nothing but the text. */
export function readFleetFile({ text, format, varsFiles = [] }: FileToRead): FleetFile {
  switch (format) {
    case 'csv':
      return readCsv(text);
    case 'json':
      return readList(text);
    case 'ssh-config':
      return readSshConfig(text);
    case 'ansible-ini':
    case 'ansible-yaml': {
      const inventory = format === 'ansible-ini' ? readIniInventory(text) : readYamlInventory(text);
      return 'problems' in inventory ? inventory : fleetOf(inventory, varsFiles);
    }
  }
}
