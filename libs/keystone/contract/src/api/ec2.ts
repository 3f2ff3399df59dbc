import { operation } from '@nestack/kernel/http';
import Type from 'typebox';
import { Id, ListLinks, Nullable, SelfLink } from './common';

export const Ec2Credential = Type.Object({
  access: Type.String(),
  secret: Type.String(),
  user_id: Type.String(),
  tenant_id: Nullable(Type.String()),
  trust_id: Nullable(Type.String()),
  links: SelfLink,
});

const path = '/users/{user_id}/credentials/OS-EC2';
const shown = Type.Object({ credential: Ec2Credential });
export const listEc2Credentials = operation({
  id: 'listEc2Credentials',
  summary: "List a user's EC2 credentials",
  method: 'GET',
  path,
  response: Type.Object({ credentials: Type.Array(Ec2Credential), links: ListLinks }),
  status: 200,
});
export const createEc2Credential = operation({
  id: 'createEc2Credential',
  summary: 'Create an EC2 credential of a user for a project',
  method: 'POST',
  path,
  body: Type.Object({ tenant_id: Id }),
  response: shown,
  status: 201,
});
export const showEc2Credential = operation({
  id: 'showEc2Credential',
  summary: 'Show an EC2 credential',
  method: 'GET',
  path: `${path}/{access}`,
  response: shown,
  status: 200,
});
export const deleteEc2Credential = operation({
  id: 'deleteEc2Credential',
  summary: 'Delete an EC2 credential',
  method: 'DELETE',
  path: `${path}/{access}`,
  status: 204,
});

export const ec2Operations = [listEc2Credentials, createEc2Credential, showEc2Credential, deleteEc2Credential];
