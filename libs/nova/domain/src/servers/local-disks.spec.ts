import { describe, expect, it } from '@jest/globals';
import { localDevices, localSizes } from './local-disks';

const flavor = { ephemeral_gb: 4, swap_mb: 512 };

describe('the local disks of a server', () => {
  it.each([
    ['are what its flavor has', undefined, [4], 512],
    ['are those that its user chose', { ephemerals: [1, 2], swap_mb: 64 }, [1, 2], 64],
    ['are the one of servers from before there could be several', { ephemeral_gb: 3 }, [3], 512],
    ['are no more than a smaller flavor has in all', { ephemerals: [3, 2], swap_mb: 1024 }, [3, 1], 512],
  ])('%s', (_what, chosen, ephemerals, swap_mb) => {
    expect(localSizes(flavor, chosen)).toEqual({ ephemerals, swap_mb });
  });

  it('are none where neither user nor flavor has any', () => {
    expect(localSizes({ ephemeral_gb: 0, swap_mb: 0 })).toEqual({ ephemerals: [], swap_mb: 0 });
  });

  it('have the first names that no volume has, ephemeral ones first', () => {
    expect(localDevices({ ephemerals: [1, 1], swap_mb: 8 }, ['/dev/vdc', null])).toEqual({
      ephemerals: ['/dev/vdb', '/dev/vdd'],
      swap: '/dev/vde',
    });
    expect(localDevices({ ephemerals: [], swap_mb: 0 }, [])).toEqual({ ephemerals: [], swap: null });
  });
});
