/** What can be imported, as it is called on the command line, and in words. */
export const FORMAT_WORDS = {
  csv: 'CSV, a table with titles',
  json: 'JSON, a list of VPSs',
  'ansible-ini': 'Ansible inventory (INI)',
  'ansible-yaml': 'Ansible inventory (YAML)',
  'ssh-config': 'SSH configuration (~/.ssh/config)',
} as const;
export type FileFormat = keyof typeof FORMAT_WORDS;
export const FORMATS = Object.keys(FORMAT_WORDS) as FileFormat[];
