import { operation } from '@nestack/kernel/http';
import Type from 'typebox';
import { ChangedQosSpecsResponse, QosAssociationsResponse, QosSpecsListResponse, QosSpecsResponse } from './views';

const Value = Type.Union([Type.String({ maxLength: 255 }), Type.Number()]);
const Key = Type.String({ pattern: '^[a-zA-Z0-9\\-_:. ]{1,255}$' });

export const listQosSpecs = operation({
  id: 'listQosSpecs',
  summary: 'Lists QoS specifications',
  method: 'GET',
  path: '/qos-specs',
  response: QosSpecsListResponse,
  status: 200,
  policy: 'volume_extension:qos_specs_manage:get_all',
});
export const createQosSpecs = operation({
  id: 'createQosSpecs',
  summary: 'Creates a QoS specification',
  method: 'POST',
  path: '/qos-specs',
  body: Type.Object({
    qos_specs: Type.Object({ name: Type.String({ minLength: 1, maxLength: 255 }) }, { additionalProperties: Value }),
  }),
  response: QosSpecsResponse,
  status: 200,
  policy: 'volume_extension:qos_specs_manage:create',
});
export const showQosSpecs = operation({
  id: 'showQosSpecs',
  summary: 'Shows a QoS specification',
  method: 'GET',
  path: '/qos-specs/{qos_id}',
  response: QosSpecsResponse,
  status: 200,
  policy: 'volume_extension:qos_specs_manage:get',
});
export const updateQosSpecs = operation({
  id: 'updateQosSpecs',
  summary: 'Sets keys of a QoS specification',
  method: 'PUT',
  path: '/qos-specs/{qos_id}',
  body: Type.Object({ qos_specs: Type.Record(Key, Value, { additionalProperties: false }) }),
  response: ChangedQosSpecsResponse,
  status: 200,
  policy: 'volume_extension:qos_specs_manage:update',
});
export const deleteQosSpecs = operation({
  id: 'deleteQosSpecs',
  summary: 'Deletes a QoS specification',
  method: 'DELETE',
  path: '/qos-specs/{qos_id}',
  status: 202,
  policy: 'volume_extension:qos_specs_manage:delete',
});
export const deleteQosKeys = operation({
  id: 'deleteQosKeys',
  summary: 'Deletes keys of a QoS specification',
  method: 'PUT',
  path: '/qos-specs/{qos_id}/delete_keys',
  body: Type.Object({ keys: Type.Array(Type.String()) }),
  status: 202,
  policy: 'volume_extension:qos_specs_manage:update',
});
export const listQosAssociations = operation({
  id: 'listQosAssociations',
  summary: 'Lists the volume types of a QoS specification',
  method: 'GET',
  path: '/qos-specs/{qos_id}/associations',
  response: QosAssociationsResponse,
  status: 200,
  policy: 'volume_extension:qos_specs_manage:get_all',
});
const association = (id: string, name: string, summary: string) =>
  operation({
    id,
    summary,
    method: 'GET',
    path: `/qos-specs/{qos_id}/${name}`,
    status: 202,
    policy: 'volume_extension:qos_specs_manage:update',
  });
export const associateQos = association('associateQos', 'associate', 'Gives a volume type a QoS specification');
export const disassociateQos = association('disassociateQos', 'disassociate', 'Takes it from a volume type');
export const disassociateAllQos = association(
  'disassociateAllQos',
  'disassociate_all',
  'Takes it from all volume types',
);

export const qosOperations = [
  listQosSpecs,
  createQosSpecs,
  showQosSpecs,
  updateQosSpecs,
  deleteQosSpecs,
  deleteQosKeys,
  listQosAssociations,
  associateQos,
  disassociateQos,
  disassociateAllQos,
];
