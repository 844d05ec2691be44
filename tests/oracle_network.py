"""The released network written out: functions of its state dict and a batch of clips.

Literal and slow, with the released parameter names. All sizes come from the weights and
the clips, so it runs at any width. Dropout is left out.
"""

import math

import torch
import torch.nn.functional as F

EPS = 1e-8
ROUTING_LAMBDA = 1e-6


def same_pad(x, kernel, stride):
    """Zeros on T, H, W so that ceil(n / s) cells come out; the odd one is last."""
    pads = []
    for n, k, s in zip(x.shape[2:], kernel, stride):
        total = max(k - s, 0) if n % s == 0 else max(k - n % s, 0)
        front = total // 2
        pads = [front, total - front] + pads
    return F.pad(x, pads)


def max_pool(x, kernel, stride):
    return F.max_pool3d(same_pad(x, kernel, stride), kernel, stride)


def batch_norm(state, name, x, train):
    """Batch statistics in training, which also move the running ones in ``state``."""
    if train:
        count = x.numel() // x.shape[1]
        mean = x.mean((0, 2, 3, 4))
        var = ((x - mean.view(-1, 1, 1, 1)) ** 2).mean((0, 2, 3, 4))
        unbiased = var.detach() * count / (count - 1)
        for key, now in (('mean', mean.detach()), ('var', unbiased)):
            running = state[f'{name}.running_{key}']
            running.copy_(0.99 * running + 0.01 * now)
        state[f'{name}.num_batches_tracked'] += 1
    else:
        mean, var = state[f'{name}.running_mean'], state[f'{name}.running_var']
    mean, var, weight, bias = (
        v.view(-1, 1, 1, 1)
        for v in (mean, var, state[f'{name}.weight'], state[f'{name}.bias'])
    )
    return (x - mean) / torch.sqrt(var + 1e-3) * weight + bias


def unit3d(state, name, x, train, stride=(1, 1, 1)):
    weight = state[f'{name}.conv3d.weight']
    x = F.conv3d(same_pad(x, weight.shape[2:], stride), weight, stride=stride)
    return torch.relu(batch_norm(state, f'{name}.bn', x, train))


def inception(state, name, x, train):
    def unit(branch, x):
        return unit3d(state, f'{name}.{branch}', x, train)

    b0 = unit('b0', x)
    b1 = unit('b1b', unit('b1a', x))
    b2 = unit('b2b', unit('b2a', x))
    b3 = unit('b3b', max_pool(x, (3, 3, 3), (1, 1, 1)))
    return torch.cat([b0, b1, b2, b3], dim=1)


def i3d(state, clips, train):
    """Maps of Mixed_4f, of Conv3d_2c_3x3 and of Conv3d_1a_7x7."""
    cross112 = unit3d(state, 'conv1.Conv3d_1a_7x7', clips, train, (2, 2, 2))
    x = max_pool(cross112, (1, 3, 3), (1, 2, 2))
    x = unit3d(state, 'conv1.Conv3d_2b_1x1', x, train)
    cross56 = unit3d(state, 'conv1.Conv3d_2c_3x3', x, train, (2, 1, 1))
    x = max_pool(cross56, (1, 3, 3), (1, 2, 2))
    for block in ('3b', '3c'):
        x = inception(state, f'conv1.Mixed_{block}', x, train)
    x = max_pool(x, (3, 3, 3), (2, 1, 1))
    for block in ('4b', '4c', '4d', '4e', '4f'):
        x = inception(state, f'conv1.Mixed_{block}', x, train)
    return x, cross56, cross112


def primary_capsules(state, x):
    """Poses (B, h, w, I, 4, 4) and activations (B, h, w, I) of maps (B, C, H, W)."""
    pose, a = (
        F.conv2d(x, state[f'primary_caps.{k}.weight'], state[f'primary_caps.{k}.bias'])
        for k in ('pose', 'a')
    )
    pose = pose.permute(0, 2, 3, 1)
    return pose.unflatten(3, (-1, 4, 4)), torch.sigmoid(a).permute(0, 2, 3, 1)


def conv_capsules(state, pose, a, iterations=3):
    """Class poses (B, h, w, C, 16) and activations (B, h, w, C) by EM routing."""
    weights = state['conv_caps.weights'][0]  # (I, C, 4, 4)
    votes = pose[:, :, :, :, None] @ weights  # (B, h, w, I, C, 4, 4)
    grid = pose.shape[:3]
    poses, activation = em_routing(
        votes.flatten(0, 2).flatten(3),
        a.flatten(0, 2),
        state['conv_caps.beta_u'],
        state['conv_caps.beta_a'],
        iterations,
    )
    return poses.unflatten(0, grid), activation.unflatten(0, grid)


def em_routing(votes, a, beta_u, beta_a, iterations):
    """Votes (N, I, C, 16) and activations (N, I) of N independent positions."""
    num_out = votes.shape[2]
    r = torch.full_like(votes[..., 0], 1 / num_out)  # (N, I, C)
    for iteration in range(iterations):
        # M-step
        r_hat = a[:, :, None] * r
        r_hat = r_hat / (r_hat.sum(2, keepdim=True) + EPS)
        s = r_hat.sum(1)  # (N, C)
        rho = r_hat / (s[:, None] + EPS)
        mu = (rho[..., None] * votes).sum(1)  # (N, C, 16)
        squared = (votes - mu[:, None]) ** 2
        s2 = (rho[..., None] * squared).sum(1) + EPS
        cost = s * (beta_u + torch.log(torch.sqrt(s2))).sum(2)
        m = cost.mean(1, keepdim=True)
        sd = torch.sqrt((cost - m).sum(1, keepdim=True) ** 2 / num_out + EPS)
        a_out = torch.sigmoid(ROUTING_LAMBDA * (beta_a - (m - cost) / (sd + EPS)))
        if iteration == iterations - 1:
            return mu, a_out
        # E-step
        s2 = s2[:, None]
        ln_p = -squared / (2 * s2) - torch.log(torch.sqrt(s2))
        ln_p = (ln_p - 0.5 * math.log(2 * math.pi)).sum(3)
        r = torch.softmax(ln_p + torch.log(EPS + a_out)[:, None], dim=2)


def class_gate(scores, actions, labeled, epoch, thresh_epoch, train):
    """Which class capsules the decoder sees, (B, C) of 0 and 1; epochs from 1."""
    gate = torch.zeros_like(scores)
    for b in range(len(scores)):
        if train and labeled[b]:
            gate[b, actions[b]] = 1
        elif train and epoch < thresh_epoch:
            gate[b] = 1
        else:
            gate[b, scores[b].argmax()] = 1
    return gate


def decoder(state, poses, feature, cross56, cross112):
    """Logits (B, 1, T, H, W) of gated poses (B, h, w, C, 16)."""

    def parameters(name):
        return state[f'{name}.weight'], state[f'{name}.bias']

    def double(name, x):
        return F.conv_transpose3d(
            x, *parameters(name), stride=2, padding=1, output_padding=1
        )

    x = poses.flatten(3).permute(0, 3, 1, 2)
    x = torch.relu(F.conv_transpose2d(x, *parameters('upsample1')))
    skip = torch.relu(F.conv2d(feature, *parameters('conv28'), padding=1))
    x = torch.cat([x, skip], dim=1).unsqueeze(2)
    x = torch.relu(double('upsample2', x))
    skip = torch.relu(F.conv3d(cross56, *parameters('conv56'), padding=1))
    x = torch.relu(double('upsample3', torch.cat([x, skip], dim=1)))
    skip = torch.relu(F.conv3d(cross112, *parameters('conv112'), padding=1))
    x = double('upsample4', torch.cat([x, skip], dim=1))
    return F.conv_transpose3d(x, *parameters('smooth'), padding=1)


def network(
    state,
    clips,
    actions=None,
    labeled=None,
    epoch=1,
    thresh_epoch=11,
    train=True,
):
    """One forward pass as the released code does it.

    ``actions`` (B,) and ``labeled`` (B,) are read in training only.

    Returns:
        Logits (B, 1, T, H, W), class scores (B, C), activations (B, h * w, C).
    """
    feature, cross56, cross112 = i3d(state, clips, train)
    feature = feature.squeeze(2)  # eight frames have become one
    poses, activation = conv_capsules(state, *primary_capsules(state, feature))
    scores = activation.mean((1, 2))
    gate = class_gate(scores, actions, labeled, epoch, thresh_epoch, train)
    gated = poses * gate[:, None, None, :, None]
    logits = decoder(state, gated, feature, cross56, cross112)
    return logits, scores, activation.flatten(1, 2)
