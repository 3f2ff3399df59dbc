function extension(name: string, alias: string, description: string, updated: string) {
  return { name, alias, description, updated, links: [], namespace: '' };
}

/** What is served beyond volumes, snapshots and types, by upstream's names. upstream: cinder/api/contrib */
export const EXTENSIONS = [
  extension('AdminActions', 'os-admin-actions', 'Actions of administrators', '2012-08-25T00:00:00+00:00'),
  extension('Backups', 'backups', 'Backups of volumes', '2012-12-12T00:00:00+00:00'),
  extension('AvailabilityZones', 'os-availability-zone', 'Lists availability zones', '2013-06-27T00:00:00+00:00'),
  extension(
    'ExtendedSnapshotAttributes',
    'os-extended-snapshot-attributes',
    'More attributes of snapshots',
    '2012-06-19T00:00:00+00:00',
  ),
  extension('Hosts', 'os-hosts', 'Lists hosts', '2011-06-29T00:00:00+00:00'),
  extension('Qos_specs_manage', 'qos-specs', 'QoS specifications', '2013-08-02T00:00:00+00:00'),
  extension('QuotaClasses', 'os-quota-class-sets', 'Default quotas', '2012-03-12T00:00:00+00:00'),
  extension('Quotas', 'os-quota-sets', 'Quotas of projects', '2011-08-08T00:00:00+00:00'),
  extension('SchedulerHints', 'OS-SCH-HNT', 'Hints for the scheduler', '2013-04-18T00:00:00+00:00'),
  extension('Scheduler_stats', 'scheduler-stats', 'Pools as the scheduler sees them', '2014-09-07T00:00:00+00:00'),
  extension('Services', 'os-services', 'Services and their states', '2012-10-28T00:00:00-00:00'),
  extension('SnapshotActions', 'os-snapshot-actions', 'Actions on snapshots', '2013-07-16T00:00:00+00:00'),
  extension('TypesExtraSpecs', 'os-types-extra-specs', 'Extra specs of volume types', '2011-08-24T00:00:00+00:00'),
  extension('TypesManage', 'os-types-manage', 'Volume types are managed', '2011-08-24T00:00:00+00:00'),
  extension('UsedLimits', 'os-used-limits', 'What is used of limits', '2013-10-03T00:00:00+00:00'),
  extension('VolumeActions', 'os-volume-actions', 'Actions on volumes', '2012-05-31T00:00:00+00:00'),
  extension('VolumeHostAttribute', 'os-vol-host-attr', 'The host of a volume', '2011-11-03T00:00:00+00:00'),
  extension('VolumeTypeEncryption', 'encryption', 'Encryption of volume types', '2013-07-01T00:00:00+00:00'),
  extension('VolumeImageMetadata', 'os-vol-image-meta', 'The image that a volume is of', '2012-12-07T00:00:00+00:00'),
  extension('VolumeManage', 'os-volume-manage', "A backend's volumes become cinder's", '2014-02-10T00:00:00+00:00'),
  extension('VolumeUnmanage', 'os-volume-unmanage', 'Volumes are forgotten, not deleted', '2012-05-31T00:00:00+00:00'),
  extension(
    'SnapshotManage',
    'os-snapshot-manage',
    "A backend's snapshots become cinder's",
    '2014-12-31T00:00:00+00:00',
  ),
  extension(
    'SnapshotUnmanage',
    'os-snapshot-unmanage',
    'Snapshots are forgotten, not deleted',
    '2014-12-31T00:00:00+00:00',
  ),
  extension('VolumeTenantAttribute', 'os-vol-tenant-attr', 'The project of a volume', '2011-11-03T00:00:00+00:00'),
  extension('VolumeTransfer', 'os-volume-transfer', 'Volumes change projects', '2013-05-29T00:00:00+00:00'),
  extension('VolumeTypeAccess', 'os-volume-type-access', 'Who may use private volume types', '2014-06-26T00:00:00Z'),
];
