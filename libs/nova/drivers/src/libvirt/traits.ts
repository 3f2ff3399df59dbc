import { readFile } from 'node:fs/promises';

/** What this driver can do, whatever the processor. upstream: nova/virt/driver.py, CAPABILITIES_AS_TRAITS; os-traits */
const CAPABILITIES = [
  'COMPUTE_NODE',
  'COMPUTE_ARCH_X86_64',
  'COMPUTE_FIRMWARE_BIOS',
  'COMPUTE_GRAPHICS_MODEL_VGA',
  'COMPUTE_NET_ATTACH_INTERFACE',
  'COMPUTE_RESCUE_BFV',
  'COMPUTE_VOLUME_ATTACH',
  'COMPUTE_VOLUME_EXTEND',
  'HW_ARCH_X86_64',
  ...['AKI', 'AMI', 'ARI', 'QCOW2', 'RAW', 'VDI', 'VHD', 'VHDX', 'VMDK'].map((type) => `COMPUTE_IMAGE_TYPE_${type}`),
  ...['IDE', 'SATA', 'SCSI', 'USB', 'VIRTIO'].map((bus) => `COMPUTE_STORAGE_BUS_${bus}`),
  ...['E1000', 'E1000E', 'NE2K_PCI', 'PCNET', 'RTL8139', 'VIRTIO', 'VMXNET3'].map(
    (model) => `COMPUTE_NET_VIF_MODEL_${model}`,
  ),
];

/** What the emulated processor has. */
const EMULATED = ['MMX', 'SSE', 'SSE2', 'SSE3'];

/** Linux' names of processor features, by those of os-traits where they differ. */
const FLAGS: Readonly<Record<string, string>> = {
  mmx: 'MMX',
  sse: 'SSE',
  sse2: 'SSE2',
  pni: 'SSE3',
  ssse3: 'SSSE3',
  sse4_1: 'SSE41',
  sse4_2: 'SSE42',
  sse4a: 'SSE4A',
  avx: 'AVX',
  avx2: 'AVX2',
  avx512f: 'AVX512F',
  avx512cd: 'AVX512CD',
  avx512bw: 'AVX512BW',
  avx512dq: 'AVX512DQ',
  avx512vl: 'AVX512VL',
  avx512_vnni: 'AVX512VNNI',
  aes: 'AESNI',
  pclmulqdq: 'CLMUL',
  fma: 'FMA3',
  f16c: 'F16C',
  bmi1: 'BMI',
  bmi2: 'BMI2',
  abm: 'ABM',
  sha_ni: 'SHA',
  vmx: 'VMX',
  svm: 'SVM',
};

/** The host's traits in Placement: guests under KVM see the processor's own features. */
export async function traitsOf(virtType: 'kvm' | 'qemu'): Promise<readonly string[]> {
  const features = virtType === 'kvm' ? await hostFeatures() : EMULATED;
  return [...CAPABILITIES, ...features.map((name) => `HW_CPU_X86_${name}`)].sort();
}

async function hostFeatures(): Promise<readonly string[]> {
  const flags = /^flags\s*:(.*)$/m.exec(await readFile('/proc/cpuinfo', 'utf8'))?.[1] ?? '';
  return flags.split(/\s+/).flatMap((flag) => FLAGS[flag] ?? []);
}
