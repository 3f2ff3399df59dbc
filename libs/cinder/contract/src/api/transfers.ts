import { operation } from '@nestack/kernel/http';
import Type from 'typebox';
import { BooleanLike, NullableText } from './common';
import {
  AcceptedTransferResponse,
  CreatedTransferResponse,
  TransferResponse,
  TransfersDetailResponse,
  TransfersResponse,
} from './views';

/** The same operations have two paths; the newer one exists since 3.55. */
function transferOperations<const Base extends string>(base: Base, suffix: string, minVersion?: string) {
  const since = minVersion === undefined ? {} : { minVersion };
  return {
    list: operation({
      id: `listTransfers${suffix}`,
      summary: 'Lists volume transfers',
      method: 'GET',
      path: base,
      ...since,
      response: TransfersResponse,
      status: 200,
      policy: 'volume:get_all_transfers',
    }),
    listDetail: operation({
      id: `listTransfersDetail${suffix}`,
      summary: 'Lists volume transfers with details',
      method: 'GET',
      path: `${base}/detail`,
      ...since,
      response: TransfersDetailResponse,
      status: 200,
      policy: 'volume:get_all_transfers',
    }),
    create: operation({
      id: `createTransfer${suffix}`,
      summary: 'Offers a volume to another project',
      method: 'POST',
      path: base,
      ...since,
      body: Type.Object({
        transfer: Type.Object(
          {
            volume_id: Type.String(),
            name: Type.Optional(NullableText),
            no_snapshots: Type.Optional(BooleanLike),
          },
          { additionalProperties: false },
        ),
      }),
      response: CreatedTransferResponse,
      status: 202,
    }),
    show: operation({
      id: `showTransfer${suffix}`,
      summary: 'Shows a volume transfer',
      method: 'GET',
      path: `${base}/{transfer_id}`,
      ...since,
      response: TransferResponse,
      status: 200,
    }),
    accept: operation({
      id: `acceptTransfer${suffix}`,
      summary: 'Takes an offered volume',
      method: 'POST',
      path: `${base}/{transfer_id}/accept`,
      ...since,
      body: Type.Object({
        accept: Type.Object(
          { auth_key: Type.String({ minLength: 1, maxLength: 255 }) },
          { additionalProperties: false },
        ),
      }),
      response: AcceptedTransferResponse,
      status: 202,
      policy: 'volume:accept_transfer',
    }),
    remove: operation({
      id: `deleteTransfer${suffix}`,
      summary: 'Takes an offer back',
      method: 'DELETE',
      path: `${base}/{transfer_id}`,
      ...since,
      status: 202,
    }),
  };
}

export const osTransfers = transferOperations('/os-volume-transfer', 'Os');
export const volumeTransfers = transferOperations('/volume-transfers', '', '3.55');

export const volumeTransferOperations = [...Object.values(osTransfers), ...Object.values(volumeTransfers)];
