import type { InstanceSpec } from '@nestack/nova/contract';
import type { ConfigDriveFiles } from '../ports';
import { ec2MetaData, metaData, networkData } from './meta-data';

/** The files of a config drive. upstream: nova/virt/configdrive.py, nova/api/metadata/base.py */
export function configDriveOf(spec: InstanceSpec): ConfigDriveFiles {
  const userData = spec.user_data === null ? null : Buffer.from(spec.user_data, 'base64');
  const files: Record<string, string | Buffer> = {};
  for (const version of ['2012-08-10', 'latest']) {
    files[`openstack/${version}/meta_data.json`] = JSON.stringify(metaData(spec));
    files[`openstack/${version}/network_data.json`] = JSON.stringify(networkData(spec));
    files[`openstack/${version}/vendor_data.json`] = '{}';
    if (userData !== null) files[`openstack/${version}/user_data`] = userData;
  }
  for (const version of ['2009-04-04', 'latest']) {
    files[`ec2/${version}/meta-data.json`] = JSON.stringify(ec2MetaData(spec));
    if (userData !== null) files[`ec2/${version}/user-data`] = userData;
  }
  spec.personality.forEach((file, at) => {
    files[`openstack/content/${String(at).padStart(4, '0')}`] = Buffer.from(file.contents, 'base64');
  });
  return files;
}
