import { expect, it } from 'vitest';
import { mergeEdit } from './edit-vps.ts';

const WAS = {
  name: 'Anna',
  host: '10.0.0.1',
  port: '22',
  user: 'root',
  service: '',
  labels: 'canary',
  note: 'old disk',
};
/** Somebody has moved the machine and renamed the customer while the form was open. */
const NOW = { ...WAS, name: 'Anna B.', host: '10.0.0.9' };

it('a form changes what was changed in it, and nothing else', () => {
  expect(mergeEdit(NOW, WAS, { ...WAS, service: 'nginx' })).toEqual({ ...NOW, service: 'nginx' });
  expect(mergeEdit(NOW, WAS, { ...WAS, host: '10.0.0.2', service: undefined })).toEqual({
    ...NOW,
    host: '10.0.0.2',
    service: undefined,
  });
});

it('a form that does not say what it was made from changes all that it has', () => {
  const unknown = { name: '', host: '', port: '', user: '', service: '', labels: '', note: '' };
  expect(mergeEdit(NOW, unknown, { ...WAS, service: 'nginx' })).toEqual({ ...WAS, service: 'nginx' });
});
