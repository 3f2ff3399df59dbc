import type { InstanceSpec } from '@nestack/nova/contract';
import type { ConfigDriveFiles } from '../ports';
import { OPENSTACK_VERSIONS, ec2MetaData, metaData, networkData } from './meta-data';

/** The files of a config drive. upstream: nova/virt/configdrive.py, nova/api/metadata/base.py */
export function configDriveOf(spec: InstanceSpec): ConfigDriveFiles {
  const userData = spec.user_data === null ? null : Buffer.from(spec.user_data, 'base64');
  const files: Record<string, string | Buffer> = {};
  for (const version of OPENSTACK_VERSIONS) {
    const put = (name: string, since: string, content: string | Buffer): void => {
      if (version >= since) files[`openstack/${version}/${name}`] = content;
    };
    put('meta_data.json', '', JSON.stringify(metaData(spec)));
    if (userData !== null) put('user_data', '', userData);
    put('vendor_data.json', '2013-10-17', '{}');
    put('network_data.json', '2015-10-15', JSON.stringify(networkData(spec)));
    put('vendor_data2.json', '2016-10-06', '{}');
  }
  for (const version of ['2009-04-04', 'latest']) {
    files[`ec2/${version}/meta-data.json`] = JSON.stringify(ec2MetaData(spec, version));
    if (userData !== null) files[`ec2/${version}/user-data`] = userData;
  }
  spec.personality.forEach((file, at) => {
    files[`openstack/content/${String(at).padStart(4, '0')}`] = Buffer.from(file.contents, 'base64');
  });
  return files;
}
