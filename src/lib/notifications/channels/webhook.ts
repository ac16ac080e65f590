import type { Channel } from '../channel.ts';

export const webhook: Channel = {
  lacks: () => 'it is not built yet',
  addressHint: '',
  isAddress: () => false,
  reach: () => ({ problem: 'it is not built yet' }),
};
