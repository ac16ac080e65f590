import type { Channel } from '../channel.ts';

export const telegram: Channel = {
  lacks: () => 'it is not built yet',
  addressHint: '',
  isAddress: () => false,
  reach: () => ({ problem: 'it is not built yet' }),
};
